"""
What is sent to EMR: settings of a launch, steps, the RunJobFlow request, and the bundle of code.

Pure but for the bundle's upload.

May import emr.cluster, settings and aws. Must not watch or judge.
"""

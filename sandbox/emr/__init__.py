"""
An EMR whose steps really run, beside moto in one process.

moto answers S3, IAM, STS, EC2, Scheduler and the rest. EMR's clusters and steps are ours, because moto's accept
anything, never run a step and lose most of what RunJobFlow says. `server` puts both behind one address.
"""

"""What others do for the same work, each as its own process: the bare connector, boto3, and scan-and-drop."""

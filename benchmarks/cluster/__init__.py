"""What is measured on a Kubernetes: the whole commands, against kubectl and Helm."""

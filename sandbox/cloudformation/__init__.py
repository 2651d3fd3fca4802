"""CloudFormation as far as this project's templates need it: each resource is made by its service's own API."""

# Roles and a nightly export as Terraform keeps them: the templates that dynamodb-pipeline prints, deployed unchanged.
#   dynamodb-pipeline policy roles-template ... > roles.json
#   dynamodb-pipeline schedule export ... > nightly.json

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "region" {
  type    = string
  default = "eu-west-1"
}

provider "aws" {
  region = var.region
}

resource "aws_cloudformation_stack" "roles" {
  name          = "dynamodb-pipeline-roles"
  template_body = file("${path.module}/roles.json")
  capabilities  = ["CAPABILITY_NAMED_IAM"]
}

resource "aws_cloudformation_stack" "nightly" {
  name          = "nightly"
  template_body = file("${path.module}/nightly.json")
  capabilities  = ["CAPABILITY_IAM"]
  depends_on    = [aws_cloudformation_stack.roles]
}

output "failure_topic" {
  value = aws_cloudformation_stack.nightly.outputs["FailureTopicArn"]
}

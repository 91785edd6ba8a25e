terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.28, < 7"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id] # so that the wrong shell makes nothing elsewhere
}

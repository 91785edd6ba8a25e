terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.28, < 7"
    }
    google = {
      source  = "hashicorp/google"
      version = ">= 7, < 8"
    }
  }
}

provider "aws" {
  region              = var.aws_region
  allowed_account_ids = [var.account_id] # so that the wrong shell makes nothing elsewhere
}

provider "google" {
  project = var.project_id
  region  = var.gcp_region
}

account_id      = "111122223333"
project_id      = "operator-prod"
catalog_bucket  = "operator-carnet-catalog"
aws_callers     = ["arn:aws:iam::111122223333:role/sync-worker"]
gcp_callers     = ["serviceAccount:sync-worker@operator-prod.iam.gserviceaccount.com"]
prevent_destroy = false

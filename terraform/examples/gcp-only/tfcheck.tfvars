project_id      = "operator-prod"
region          = "europe-west1"
catalog_bucket  = "operator-carnet-catalog"
callers         = ["serviceAccount:sync-worker@operator-prod.iam.gserviceaccount.com"]
prevent_destroy = false

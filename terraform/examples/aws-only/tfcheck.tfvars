account_id      = "111122223333"
region          = "eu-west-1"
catalog_bucket  = "operator-carnet-catalog"
callers         = ["arn:aws:iam::111122223333:role/sync-worker"]
prevent_destroy = false

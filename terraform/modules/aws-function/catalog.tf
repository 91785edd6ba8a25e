# The catalog's bucket: the same files that people write and Terraform reads, and carnet.yaml
# with what only Terraform knows.

resource "aws_s3_bucket" "catalog" {
  bucket        = var.catalog_bucket
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "catalog" {
  bucket                  = aws_s3_bucket.catalog.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "catalog" {
  bucket = aws_s3_bucket.catalog.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "catalog" {
  bucket = aws_s3_bucket.catalog.id
  rule {
    bucket_key_enabled = var.kms_key_arn != null
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_policy" "catalog" {
  bucket = aws_s3_bucket.catalog.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TLSAlone"
      Effect    = "Deny"
      Principal = { AWS = [local.root_arn] }
      Action    = "s3:*"
      Resource  = [local.bucket, "${local.bucket}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

# These files say who may ask, so the plan looks whether somebody has changed one in the bucket.
# The ETag is the MD5 only where no KMS key encrypts the object: there docs/operate.md says what to do.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
resource "aws_s3_object" "tenant" {
  for_each     = var.catalog_files
  bucket       = aws_s3_bucket.catalog.id
  key          = "${local.prefix}/${each.key}"
  source       = each.value
  source_hash  = filemd5(each.value)
  etag         = var.kms_key_arn == null ? filemd5(each.value) : null
  content_type = "application/yaml"
}

resource "aws_s3_object" "operator" {
  bucket       = aws_s3_bucket.catalog.id
  key          = "${local.prefix}/carnet.yaml"
  content      = var.operator_file
  etag         = var.kms_key_arn == null ? md5(var.operator_file) : null
  content_type = "application/yaml"
}

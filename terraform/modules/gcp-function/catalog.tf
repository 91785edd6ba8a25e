# The catalog's bucket: the same files that people write and Terraform reads, and carnet.yaml
# with what only Terraform knows.

resource "google_storage_bucket" "catalog" {
  project                     = var.project_id
  name                        = var.catalog_bucket
  location                    = local.location
  force_destroy               = var.force_destroy
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = var.labels
  depends_on                  = [google_project_service.api]

  versioning {
    enabled = true
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [1]
    content {
      default_kms_key_name = var.kms_key
    }
  }
}

resource "google_storage_bucket_object" "tenant" {
  for_each     = var.catalog_files
  bucket       = google_storage_bucket.catalog.name
  name         = "${local.prefix}/${each.key}"
  source       = each.value
  content_type = "application/yaml"
}

resource "google_storage_bucket_object" "operator" {
  bucket       = google_storage_bucket.catalog.name
  name         = "${local.prefix}/carnet.yaml"
  content      = var.operator_file
  content_type = "application/yaml"
}

resource "google_storage_bucket_iam_member" "runtime_reads" {
  bucket = google_storage_bucket.catalog.name
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:${google_service_account.runtime.email}"
}

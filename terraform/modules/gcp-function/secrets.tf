# Containers for secrets. What is in them never passes through Terraform: people put private
# keys in (`gcloud secrets versions add`), and the schedule what it delivers. A root that must
# put a value in writes google_secret_manager_secret_version with secret_data_wo, which no
# state holds.

resource "google_secret_manager_secret" "secret" {
  for_each  = setunion(var.read_secrets, var.deliver_secrets)
  project   = var.project_id
  secret_id = each.key
  labels    = var.labels

  replication {
    user_managed {
      replicas {
        location = var.region

        dynamic "customer_managed_encryption" {
          for_each = var.kms_key == null ? [] : [1]
          content {
            kms_key_name = var.kms_key
          }
        }
      }
    }
  }

  depends_on = [google_project_service.api]
}

# Of a key the runtime reads the value, and of what it delivers it makes versions and cannot
# read one.
resource "google_secret_manager_secret_iam_member" "read" {
  for_each  = var.read_secrets
  project   = var.project_id
  secret_id = google_secret_manager_secret.secret[each.key].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${google_service_account.runtime.email}"
}

resource "google_secret_manager_secret_iam_member" "deliver" {
  for_each  = var.deliver_secrets
  project   = var.project_id
  secret_id = google_secret_manager_secret.secret[each.key].secret_id
  role      = "roles/secretmanager.secretVersionManager"
  member    = "serviceAccount:${google_service_account.runtime.email}"
}

# A bucket of Google Cloud Storage for versions, and two accounts that the pods of scripts/kubernetes act as: servers
# read, the nightly build writes.
#
#   terraform init
#   terraform apply -var project=my-project -var bucket=my-project-shortlist -var location=europe-west4

terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 5.0"
    }
  }
}

provider "google" {
  project = var.project
}

resource "google_storage_bucket" "versions" {
  name     = var.bucket
  location = var.location

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # A version never changes, and CURRENT and HISTORY say what was published when: earlier states of objects help nobody.
  versioning {
    enabled = false
  }

  # Deleted objects can be restored for a week.
  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  # There is no lifecycle rule. Uploads that were cut end by themselves after a week, and a rule that deletes by age
  # would delete what is published when no new version has come for long.
}

resource "google_service_account" "pods" {
  for_each     = local.accounts
  account_id   = each.key
  display_name = each.value.display_name
}

# On this bucket only. objectUser may also delete, which replacing CURRENT needs.
resource "google_storage_bucket_iam_member" "pods" {
  for_each = local.accounts
  bucket   = google_storage_bucket.versions.name
  role     = each.value.role
  member   = google_service_account.pods[each.key].member
}

# Workload identity: the Kubernetes account of the same name may act as it. Pods hold no key.
resource "google_service_account_iam_member" "pods" {
  for_each           = local.accounts
  service_account_id = google_service_account.pods[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[${var.namespace}/${each.key}]"
}

locals {
  accounts = {
    shortlist = {
      display_name = "shortlist: servers"
      role         = "roles/storage.objectViewer"
    }
    shortlist-nightly = {
      display_name = "shortlist: nightly build"
      role         = "roles/storage.objectUser"
    }
  }
}

output "source" {
  description = "SHORTLIST_SOURCE of scripts/kubernetes/base/settings.env."
  value       = "gs://${google_storage_bucket.versions.name}/indexes"
}

output "service_accounts" {
  description = "Annotation iam.gke.io/gcp-service-account of each Kubernetes service account."
  value       = { for name, account in google_service_account.pods : name => account.email }
}

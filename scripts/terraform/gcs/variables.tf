variable "project" {
  description = "Project of the bucket and of the cluster."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket; it is unique in all of Google Cloud."
  type        = string
}

variable "location" {
  description = "Region of the cluster: pulls within a region are fast and cost nothing."
  type        = string
}

variable "namespace" {
  description = "Namespace of the pods."
  type        = string
  default     = "shortlist"
}

"""Grafana: provisioning files, and dashboards generated from the catalogue of KPIs."""

"""What is computed: time, cells, accounts, KPIs, alerts, sinks. Knows nothing of Faust."""

"""How it runs: Kafka, Faust, Redis, metrics and the commands around the pure steps of `models`."""

package conformance

func storageCases() []Case { return nil }

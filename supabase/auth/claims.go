package auth

// keySet are the keys with which the server signs access tokens.
type keySet struct{}

func newKeySet() *keySet { return &keySet{} }

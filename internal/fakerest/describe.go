package fakerest

// describe answers the root.
func (s *Server) describe(*txn, *request) (*answer, *Error) {
	return newAnswer(200).typed("application/openapi+json", []byte("{}")), nil
}

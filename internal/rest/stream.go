package rest

import (
	"errors"
	"io"
)

// stream is the body of an answer that the caller reads.
type stream struct {
	a    *attempt
	body io.ReadCloser
}

// Read tells faults as the other calls do: without an address, and as the caller's context has it.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = s.a.fault(err)
	}
	return n, err
}

// Close ends the request; a body that was not read to its end costs its connection.
func (s *stream) Close() error {
	err := s.body.Close()
	s.a.stop()
	if err != nil {
		return s.a.fault(err)
	}
	return nil
}

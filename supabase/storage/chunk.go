package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// chunks cuts a source into what is sent at once. Of a source that can be read again nothing is
// held; of another, the chunk that is on its way, which may have to be sent once more, and one byte
// after it, which tells whether it is the last.
type chunks struct {
	src   *source
	size  int64 // of the whole; -1: not known yet
	buf   []byte
	start int64 // where in the source buf begins
	ended bool  // the source gave all
}

// at is the chunk that begins at offset, and its length; it may be asked for again.
func (c *chunks) at(offset int64) (io.Reader, int64, error) {
	if c.src.seek != nil {
		n := min(ChunkSize, c.size-offset)
		if c.src.at != nil {
			return io.NewSectionReader(c.src.at, c.src.start+offset, n), n, nil
		}
		if _, err := c.src.seek.Seek(c.src.start+offset, io.SeekStart); err != nil {
			return nil, 0, err
		}
		return io.LimitReader(c.src.whole, n), n, nil
	}
	if err := c.fill(offset); err != nil {
		return nil, 0, err
	}
	n := min(ChunkSize, len(c.buf))
	return bytes.NewReader(c.buf[:n]), int64(n), nil
}

// fill reads on until buf holds the chunk at offset, and learns the size where the source ends.
func (c *chunks) fill(offset int64) error {
	if offset < c.start {
		return errors.New("storage: the server lost a part of the upload, which cannot be read again")
	}
	kept := 0
	if have := c.start + int64(len(c.buf)); offset < have {
		kept = copy(c.buf, c.buf[offset-c.start:])
	} else if skip := offset - have; skip > 0 {
		if n, err := io.CopyN(io.Discard, c.src.reader, skip); err != nil {
			return fmt.Errorf("storage: reading up to where the upload stands, after %d bytes of %d: %w", n, skip, err)
		}
	}
	c.start = offset
	c.buf = c.buf[:kept]
	for !c.ended && int64(len(c.buf)) < c.wanted() {
		c.grow()
		n, err := io.ReadFull(c.src.reader, c.buf[len(c.buf):min(c.wanted(), int64(cap(c.buf)))])
		c.buf = c.buf[:len(c.buf)+n]
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			c.ended = true
			end := offset + int64(len(c.buf))
			if c.size >= 0 && end < c.size {
				return fmt.Errorf("storage: the reader gave %d bytes of %d: %w", end, c.size, io.ErrUnexpectedEOF)
			}
			c.size = end
		case err != nil:
			return err
		}
	}
	return nil
}

// wanted is how much of the source buf is to hold.
func (c *chunks) wanted() int64 {
	if c.size < 0 {
		return ChunkSize + 1
	}
	return min(ChunkSize, c.size-c.start)
}

// firstRoom is the room for what is read of a source whose size is not known, until that turns out
// to be more: not every object is as large as a chunk.
const firstRoom = ChunkSize / 8

// grow makes room in buf where there is none.
func (c *chunks) grow() {
	if len(c.buf) < cap(c.buf) {
		return
	}
	room := c.wanted()
	if c.size < 0 && cap(c.buf) == 0 {
		room = firstRoom
	}
	c.buf = append(make([]byte, 0, room), c.buf...)
}

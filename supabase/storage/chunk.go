package storage

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// chunks cuts a source into what is sent at once. Of a source that can be read again nothing is
// held; of another, the chunk that is on its way, which may have to be sent once more, and one byte
// after it, which tells whether it is the last. They are held in blocks, as many as there is data
// for, which are used again for the next chunk.
type chunks struct {
	src    *source
	size   int64 // of the whole; -1: not known yet
	ended  bool  // the source gave all
	start  int64 // where in the source begins what is held
	held   int64 // how much that is
	blocks [][]byte
	first  int64 // where in the blocks it begins
}

const blockSize = 64 << 10

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
	n := min(ChunkSize, c.held)
	return &blockReader{c.blocks, c.first, c.first + n}, n, nil
}

// fill reads on until the chunk at offset is held, and learns the size where the source ends.
func (c *chunks) fill(offset int64) error {
	if offset < c.start {
		return errors.New("storage: the server lost a part of the upload, which cannot be read again")
	}
	if skip := offset - c.start - c.held; skip > 0 {
		if n, err := io.CopyN(io.Discard, c.src.reader, skip); err != nil {
			return fmt.Errorf("storage: reading up to where the upload stands, after %d bytes of %d: %w", n, skip, err)
		}
	}
	c.drop(min(offset-c.start, c.held))
	c.start = offset
	for !c.ended && c.held < c.wanted() {
		n, err := io.ReadFull(c.src.reader, c.room())
		c.held += int64(n)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			c.ended = true
			end := offset + c.held
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

// wanted is how much is to be held.
func (c *chunks) wanted() int64 {
	if c.size < 0 {
		return ChunkSize + 1
	}
	return min(ChunkSize, c.size-c.start)
}

// drop lets go of the first n bytes. Blocks that are free come after those that are not.
func (c *chunks) drop(n int64) {
	c.first, c.held = c.first+n, c.held-n
	free := c.first / blockSize
	slices.Reverse(c.blocks[:free])
	slices.Reverse(c.blocks[free:])
	slices.Reverse(c.blocks)
	c.first %= blockSize
}

// room is where the next bytes are read to: the rest of a block, or as much of it as is wanted.
func (c *chunks) room() []byte {
	end := c.first + c.held
	i, from := end/blockSize, end%blockSize
	if i == int64(len(c.blocks)) {
		c.blocks = append(c.blocks, make([]byte, blockSize))
	}
	return c.blocks[i][from:min(blockSize, from+c.wanted()-c.held)]
}

// blockReader reads what is between two places in blocks.
type blockReader struct {
	blocks  [][]byte
	at, end int64
}

func (r *blockReader) Read(p []byte) (int, error) {
	if r.at == r.end {
		return 0, io.EOF
	}
	from := r.at % blockSize
	n := copy(p, r.blocks[r.at/blockSize][from:min(blockSize, from+r.end-r.at)])
	r.at += int64(n)
	return n, nil
}

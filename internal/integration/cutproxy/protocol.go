//go:build linux

package cutproxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// maxFrame bounds what the proxy takes for one message; anything longer is not the protocol.
const maxFrame = 64 << 20

var errFrame = errors.New("this is not the protocol that the proxy was made for")

// postgresUp passes the client's data on.
func (l *link) postgresUp(r *bufio.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if err != nil {
			return err
		}
		if err := l.pass(l.server, buf[:n]); err != nil {
			return err
		}
	}
}

// postgresDown passes the server's messages on. While a cut is due it holds them back until the
// server says that it is ready for the next query: by then what it has executed is committed, and
// CommandComplete among the messages tells what that was.
func (l *link) postgresDown(r *bufio.Reader) error {
	var held []byte
	var tags []string
	for {
		frame, err := postgresFrame(r)
		if err != nil {
			return errors.Join(err, l.pass(l.client, held))
		}
		held = append(held, frame...)
		const (
			authentication  = 'R'
			commandComplete = 'C'
			readyForQuery   = 'Z'
		)
		switch frame[0] {
		case commandComplete:
			tags = append(tags, string(frame[5:]))
		case authentication: // the client answers it before the server goes on
		case readyForQuery:
			for _, tag := range tags {
				verb := l.proxy.due()
				if verb == "" || !begins(tag, verb) {
					continue
				}
				if cut, ok := l.proxy.strike(); ok {
					l.close()
					close(cut)
					return nil
				}
			}
			tags = nil
		default:
			if l.proxy.due() != "" {
				continue
			}
		}
		if frame[0] == commandComplete && l.proxy.due() != "" {
			continue
		}
		if err := l.pass(l.client, held); err != nil {
			return err
		}
		held = held[:0]
	}
}

// postgresFrame reads a message of the server: a type, a length that includes itself, a body.
func postgresFrame(r *bufio.Reader) ([]byte, error) {
	header, err := r.Peek(5)
	if err != nil {
		return nil, err
	}
	size := 1 + int64(binary.BigEndian.Uint32(header[1:]))
	if size < 5 || size > maxFrame {
		return nil, errFrame
	}
	frame := make([]byte, size)
	_, err = io.ReadFull(r, frame)
	return frame, err
}

// mysqlUp passes the client's packets on, and notes when one executes the statement after which
// the connection is to be cut.
func (l *link) mysqlUp(r *bufio.Reader) error {
	const (
		query   = 0x03
		prepare = 0x16
		execute = 0x17
	)
	prepared := "" // what was prepared last; the drivers execute it next
	for {
		packet, err := mysqlPacket(r)
		if err != nil {
			return err
		}
		if sequence := packet[3]; sequence == 0 && len(packet) > 4 { // a command, not a part of the handshake
			text, executes := "", false
			switch packet[4] {
			case query:
				text, executes = string(packet[5:]), true
			case prepare:
				prepared = string(packet[5:])
			case execute:
				text, executes = prepared, true
			}
			if verb := l.proxy.due(); executes && verb != "" && begins(text, verb) {
				if cut, ok := l.proxy.strike(); ok {
					l.mu.Lock()
					l.swallow = cut
					l.mu.Unlock()
				}
			}
		}
		if err := l.pass(l.server, packet); err != nil {
			return err
		}
	}
}

// mysqlPacket reads a packet: a length of three bytes, a sequence number, a body.
func mysqlPacket(r *bufio.Reader) ([]byte, error) {
	header, err := r.Peek(4)
	if err != nil {
		return nil, err
	}
	packet := make([]byte, 4+int(header[0])+int(header[1])<<8+int(header[2])<<16)
	_, err = io.ReadFull(r, packet)
	return packet, err
}

// mysqlDown passes the server's data on, until the answer that is to be swallowed. The server
// sends the first byte of a short answer once the statement is executed and committed.
func (l *link) mysqlDown(r *bufio.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if err != nil {
			return err
		}
		l.mu.Lock()
		cut := l.swallow
		l.mu.Unlock()
		if cut != nil {
			l.close()
			close(cut)
			return nil
		}
		if err := l.pass(l.client, buf[:n]); err != nil {
			return err
		}
	}
}

// begins tells whether a statement, or a command tag, begins with verb.
func begins(text, verb string) bool {
	text = strings.TrimSpace(text)
	return len(text) >= len(verb) && strings.EqualFold(text[:len(verb)], verb)
}

//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
)

// pet is a row of pets.
type pet struct {
	ID   int    `db:"id" json:"id"`
	Name string `db:"name" json:"name"`
	Sum  string `db:"sum" json:"sum"`
}

// noteRow is a row of notes.
type noteRow struct {
	Owner string `json:"owner"`
	N     int    `json:"n"`
	Body  string `json:"body"`
}

func petName(n int) string { return fmt.Sprintf("Rex number %d, of a long and noble line", n) }

func note(user, n int) string { return fmt.Sprintf("note %d of user %d, and for nobody else", n, user) }

func sum(text string) string {
	digest := sha256.Sum256([]byte(text))
	return hex.EncodeToString(digest[:8])
}

// wholePets tells what is wrong with rows that are to be all pets, in their order.
func wholePets(rows []pet) error {
	if len(rows) != pets {
		return fmt.Errorf("%d pets of %d", len(rows), pets)
	}
	for i, p := range rows {
		if p != (pet{i, petName(i), sum(petName(i))}) {
			return fmt.Errorf("pet %d is %+v", i, p)
		}
	}
	return nil
}

// ownNotes tells what is wrong with rows that are to be all notes of a user.
func ownNotes(user int, rows []noteRow) error {
	if len(rows) != notes {
		return fmt.Errorf("user %d sees %d notes of %d", user, len(rows), notes)
	}
	for i, r := range rows {
		if r != (noteRow{userID(user), i, note(user, i)}) {
			return fmt.Errorf("user %d sees %+v in place of note %d", user, r, i)
		}
	}
	return nil
}

// fileSize is that of the files, in bytes: several packets.
const fileSize = 48 << 10

// content is that of the n-th version of a writer's file.
func content(w, n int) []byte {
	data := make([]byte, fileSize)
	from := rand.NewPCG(uint64(w), uint64(n)) //nolint:gosec // it is to be the same again
	for i := 0; i < len(data); i += 8 {
		word := from.Uint64()
		for j := range 8 {
			data[i+j] = byte(word >> (8 * j))
		}
	}
	return data
}

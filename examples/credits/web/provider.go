package web

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/streamconn/streamconn/examples/credits/ledger"
)

const (
	signatureHeader = "Payments-Signature" // t=SECONDS,v1=HMAC-SHA256 of "SECONDS.BODY" in hex
	// An event that was signed longer ago is not believed: somebody may have kept it.
	signatureLife = 5 * time.Minute
)

// sign signs the body of a webhook, as payment providers do.
func sign(secret, body []byte, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac(secret, t, body))
}

func mac(secret []byte, t string, body []byte) []byte {
	m := hmac.New(sha256.New, secret)
	fmt.Fprintf(m, "%s.%s", t, body)
	return m.Sum(nil)
}

// verify tells whether a signature is that of the body, and fresh.
func verify(secret []byte, signature string, body []byte, now time.Time) bool {
	var t string
	var given []byte
	for part := range strings.SplitSeq(signature, ",") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "t":
			t = value
		case "v1":
			given, _ = hex.DecodeString(value)
		}
	}
	seconds, err := strconv.ParseInt(t, 10, 64)
	if err != nil || len(secret) == 0 || !hmac.Equal(given, mac(secret, t, body)) {
		return false
	}
	age := now.Sub(time.Unix(seconds, 0))
	return -signatureLife < age && age < signatureLife
}

// provider is a payment provider, as far as the app sees one: a page on which somebody pays, and a
// webhook that tells of it. No money moves, and what it knows ends with the process.
type provider struct {
	secret  []byte
	client  *http.Client
	webhook string

	mu       sync.Mutex
	payments map[string]ledger.Purchase
}

const maxPayments = 10_000

// checkout makes the page on which a purchase is paid, and gives its path, which is hard to guess.
func (p *provider) checkout(purchase ledger.Purchase) string {
	id := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.payments == nil || len(p.payments) >= maxPayments {
		p.payments = make(map[string]ledger.Purchase)
	}
	p.payments[id] = purchase
	return "/pay/" + id
}

func (p *provider) find(r *http.Request) (ledger.Purchase, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	purchase, ok := p.payments[r.PathValue("payment")]
	return purchase, ok
}

func (p *provider) page(a *app) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		purchase, ok := p.find(r)
		if !ok {
			a.show(w, r, http.StatusNotFound, "problem", view{Title: "Not found", Problem: "There is no such payment, or it is too old. Begin again."})
			return
		}
		a.show(w, r, http.StatusOK, "pay", view{Title: "Pay", Purchase: purchase})
	}
}

func (p *provider) pay(a *app) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		purchase, ok := p.find(r)
		if !ok {
			p.page(a)(w, r)
			return
		}
		if err := p.tell(r.Context(), purchase); err != nil {
			a.Log.ErrorContext(r.Context(), "the shop does not answer the webhook", "error", err)
			a.show(w, r, http.StatusBadGateway, "pay", view{
				Title: "Pay", Purchase: purchase, Problem: "The shop does not answer at the moment. Press once more: it is paid once.",
			})
			return
		}
		http.Redirect(w, r, "/?bought", http.StatusSeeOther)
	}
}

// tell sends the webhook. It does so twice at the same time, as providers do on a bad day.
func (p *provider) tell(ctx context.Context, purchase ledger.Purchase) error {
	body, err := json.Marshal(event{"evt_" + rand.Text(), "payment.succeeded", purchase.ID, purchase.Price})
	if err != nil {
		return err
	}
	answers := make(chan error, 2)
	for range cap(answers) {
		go func() { answers <- p.send(ctx, body) }()
	}
	return errors.Join(<-answers, <-answers)
}

func (p *provider) send(ctx context.Context, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.webhook, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(signatureHeader, sign(p.secret, body, time.Now()))
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook answers %s", resp.Status)
	}
	return nil
}

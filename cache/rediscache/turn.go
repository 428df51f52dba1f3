package rediscache

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/redis/rueidis"
)

// turn is a cache.TierTurn.
type turn struct {
	tier        *Tier
	codec       *codec
	name        string
	shape       [32]byte
	epochs      []int64
	incarnation uint64
	lease       string // the token; "": there is none
}

// Store implements [cache.TierTurn].
func (u *turn) Store(ctx context.Context, value any, ttl time.Duration, expires time.Time) {
	u.tier.use(ctx, func(c *client, x *lines) {
		if c.resting() {
			return
		}
		if since() < c.fullUntil.Load() {
			u.tier.full.Add(1)
			return
		}
		now := time.Now()
		ttl := c.ttlInRedis(ttl, expires, now)
		if ttl <= 0 {
			return
		}
		written, err := u.codec.encode(nil, value)
		if err != nil {
			u.tier.local.Add(1)
			u.tier.tellOnce(u.codec, err.Error())
			return
		}
		if len(written) > c.maxBytes {
			u.tier.tooLarge.Add(1)
			return
		}
		e := &entry{shape: u.shape, created: now, ttl: ttl, expires: expires, epochs: u.epochs, value: written}
		binary.BigEndian.PutUint64(e.incarnation[:], u.incarnation)
		sealed := c.ring.seal(u.name, e)

		left := (ttl - time.Since(now)).Truncate(time.Millisecond)
		if left <= 0 {
			return
		}
		limited, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		key := c.keys.result(u.name)
		err = x.data.Do(limited, x.data.B().Set().Key(key).Value(rueidis.BinaryString(sealed)).Px(left).Build()).Error()
		c.did(ctx, err)
		switch {
		case err == nil:
			u.tier.stores.Add(1)
		case isFull(err):
			c.fullUntil.Store(since() + int64(fullPause))
			u.tier.full.Add(1)
		default:
			u.tier.errors.Add(1)
		}
	})
}

// Drop implements [cache.TierTurn].
func (u *turn) Drop(ctx context.Context) {
	u.tier.use(ctx, func(c *client, x *lines) {
		limited, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		err := x.data.Do(limited, x.data.B().Unlink().Key(c.keys.result(u.name)).Build()).Error()
		if c.did(ctx, err); err != nil {
			u.tier.count(err)
		}
	})
}

// End implements [cache.TierTurn].
func (u *turn) End() {
	if u.lease != "" {
		u.tier.use(context.Background(), func(c *client, x *lines) { u.tier.release(c, x, u.name, u.lease) })
	}
}

// giveBack deletes a lease, if it is still that of the token.
var giveBack = rueidis.NewLuaScript(`if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`)

// release gives a lease back. If it cannot, it ends by itself.
func (t *tier) release(c *client, x *lines, name, token string) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	err := giveBack.Exec(ctx, x.data, []string{c.keys.lease(name)}, []string{token}).Error()
	if c.did(context.Background(), err); err != nil {
		t.count(err)
	}
}

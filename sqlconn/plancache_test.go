package sqlconn

import (
	"strconv"
	"sync"
	"testing"
)

func TestPlanCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := planCache[int, int]{limit: 10}
	for i := range 1000 {
		c.put(i, i)
	}
	if n := c.len(); n > 20 {
		t.Errorf("%d entries with a limit of 2×10", n)
	}
	if v, found := c.get(999); !found || v != 999 {
		t.Errorf("the newest is %d, %t", v, found)
	}
	if _, found := c.get(0); found {
		t.Error("the oldest is still there")
	}
}

func TestPlanCacheKeepsWhatIsUsed(t *testing.T) {
	t.Parallel()
	c := planCache[int, string]{limit: 10}
	c.put(-1, "used")
	for i := range 1000 {
		if v, found := c.get(-1); !found || v != "used" {
			t.Fatalf("lost after %d others", i)
		}
		c.put(i, "once")
	}
}

func TestPlanCacheKeepsTheFirst(t *testing.T) {
	t.Parallel()
	c := planCache[string, int]{limit: 10}
	if v := c.put("a", 1); v != 1 {
		t.Errorf("put returned %d", v)
	}
	if v := c.put("a", 2); v != 1 {
		t.Errorf("a second put returned %d, not what was there", v)
	}
}

func TestPlanCacheConcurrently(t *testing.T) {
	t.Parallel()
	c := planCache[string, int]{limit: 8}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 2000 {
				key := strconv.Itoa(i % 40)
				if v, found := c.get(key); found && v != i%40 {
					t.Errorf("%s is %d", key, v)
				}
				c.put(key, i%40)
			}
		})
	}
	wg.Wait()
}

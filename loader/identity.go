package loader

import "github.com/vf2prep/vf2prep/rng"

// classes holds the samples of every label that has some, in the order in which they come.
type classes struct {
	members [][]int
	n       int // samples with a label
}

// group sorts the samples by label; those below 0 have none.
func group(labels []int32) (c classes) {
	count := map[int32]int{}
	for _, l := range labels {
		if l >= 0 {
			count[l]++
			c.n++
		}
	}
	place := make(map[int32]int, len(count))
	for i, l := range labels {
		if l < 0 {
			continue
		}
		at, ok := place[l]
		if !ok {
			at = len(c.members)
			place[l] = at
			c.members = append(c.members, make([]int, 0, count[l]))
		}
		c.members[at] = append(c.members[at], i)
	}
	return c
}

// steps returns the batches of p x k samples of an epoch: as many as hold the samples with a
// label once.
func (c classes) steps(p, k int) int { return (c.n + p*k - 1) / (p * k) }

// balanced returns an epoch of batches of p identities with k samples each, one identity after
// the other. Identities come from one deck, the samples of an identity from one of its own.
func (c classes) balanced(p, k int, seed uint64, epoch int) []int {
	steps := c.steps(p, k)
	order := make([]int, 0, steps*p*k)
	people := newDeck(len(c.members), rng.Stream(seed, "identities", epoch))
	images := make([]*deck, len(c.members))
	var who, which []int
	for range steps {
		who = people.draw(who[:0], p)
		for _, i := range who {
			if images[i] == nil {
				images[i] = newDeck(len(c.members[i]), rng.Stream(seed, "images", epoch, i))
			}
			which = images[i].draw(which[:0], k)
			for _, j := range which {
				order = append(order, c.members[i][j])
			}
		}
	}
	return order
}

// deck deals the numbers 0 .. n-1 in random order, and again when all were dealt.
type deck struct {
	cards []int
	next  int
	r     *rng.Rand
}

func newDeck(n int, r *rng.Rand) *deck { return &deck{cards: r.Perm(n), r: r} }

// draw appends k numbers to hand, which is empty. None is twice among them unless there are
// fewer than k in all; then each is there k/n times, rounded up or down.
func (d *deck) draw(hand []int, k int) []int {
	if k > len(d.cards) && d.next > 0 {
		d.shuffle(hand, k)
	}
	for k > 0 {
		if d.next == len(d.cards) {
			d.shuffle(hand, k)
		}
		n := min(k, len(d.cards)-d.next)
		hand = append(hand, d.cards[d.next:d.next+n]...)
		d.next += n
		k -= n
	}
	return hand
}

// shuffle begins the deck anew. Where a hand is begun, the k cards that it still gets are such
// that it does not hold yet, as far as there are any.
func (d *deck) shuffle(hand []int, k int) {
	d.next = 0
	d.r.Shuffle(len(d.cards), func(i, j int) { d.cards[i], d.cards[j] = d.cards[j], d.cards[i] })
	held := make(map[int]bool, len(hand))
	for _, c := range hand {
		held[c] = true
	}
	front := 0
	for i := 0; i < len(d.cards) && front < k && len(held) > 0; i++ {
		if !held[d.cards[i]] {
			d.cards[front], d.cards[i] = d.cards[i], d.cards[front]
			front++
		}
	}
}

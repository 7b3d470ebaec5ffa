package shard

import "os"

// Prefetch asks the system to read samples i to i+n-1 from the disk, all at once and before
// their use. It waits for room in the disk's queue at most, never for the bytes, and it opens
// the shards that it comes by. From then on the system reads no bytes of these shards that
// nobody asked for, which it does by the megabyte about every place that is read.
//
// It is no more than a hint, and what is out of range is ignored: a damaged shard or sample is
// reported when the sample is read.
func (p *Part) Prefetch(i, n int) {
	p.each(i, n, func(f *File, j, k int) {
		if !f.random.Swap(true) {
			madvise(f.front[:cap(f.front)], atRandom)
		}
		madvise(f.pages(j, k), willNeed)
	})
}

// Release tells the system that samples i to i+n-1 will not be read for a while, so that their
// memory no longer counts as this process's. They may be read all the same, also at this moment.
func (p *Part) Release(i, n int) {
	p.each(i, n, func(f *File, j, k int) { madvise(f.pages(j, k), dontNeed) })
}

// Visited says whether sample i was read since the set was opened.
func (p *Part) Visited(i int) bool {
	f, j, err := p.locate(i)
	return err == nil && f.checked[j/64].Load()>>(j%64)&1 == 1
}

// InMemory says whether sample i would be read without the disk, as far as the system tells.
func (p *Part) InMemory(i int) bool {
	f, j, err := p.locate(i)
	return err == nil && inMemory(f.pages(j, 1))
}

func (p *Part) each(i, n int, do func(f *File, j, k int)) {
	i, end := max(i, 0), min(i+n, p.Len())
	for i < end {
		f, j, err := p.locate(i)
		if err != nil {
			return
		}
		k := min(end-i, f.n-j)
		do(f, j, k)
		i += k
	}
}

// pages returns the mapped pages with the bytes of samples i to i+n-1. Where samples differ in
// size on the disk it takes them as equal: it is for hints. It is empty where nothing is mapped.
func (s *File) pages(i, n int) []byte {
	t, ok := s.head.Lookup("image")
	at := s.head.DataStart + t.Offset
	from, to := at+t.Size*int64(i)/int64(s.n), at+t.Size*int64(i+n)/int64(s.n)
	if !ok || s.unmap == nil {
		return nil
	}
	return s.front[:cap(s.front)][from&^int64(os.Getpagesize()-1) : to] // front begins the mapping
}

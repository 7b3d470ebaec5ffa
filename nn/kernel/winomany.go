package kernel

import "runtime"

// Of many channels neither transformed weights nor the tiles of all channels stay in a core's caches. So
// chunks of tiles are transformed until they fill a small part of the third-level cache. Then each worker takes a group of
// channels of the output: it transforms their weights, which no one else needs, and goes with them
// through all of them. Weights are transformed once for each such span.

// winoSpan is how many blocks of a chunk are transformed before they are multiplied, 2 MiB; up to twice that
// where it makes two chunks, since a single one takes a twentieth of its time for the transform of weights. It is a
// variable for the tests.
var winoSpan = 16

const (
	// A worker sums gradients of so many blocks of x times so many of dy: each
	// transformed block is read from the third-level cache once for all of those it meets.
	winoSumsX = 2
	winoSumsG = 4
)

// span is some chunks of tiles.
type span struct{ tiles, per int }

// spans cuts tiles of so many blocks in spans of about the same number of chunks.
func spans(tiles, blocks int) span {
	chunks := (tiles + winoTiles - 1) / winoTiles
	most := max(1, winoSpan/blocks, min(2, 2*winoSpan/blocks))
	n := (chunks + most - 1) / most
	return span{tiles, (chunks + n - 1) / n * winoTiles}
}

// each calls f for each span.
func (s span) each(f func(first, end int)) {
	for first := 0; first < s.tiles; first += s.per {
		f(first, min(s.tiles, first+s.per))
	}
}

func chunksOf(tiles int) int { return (tiles + winoTiles - 1) / winoTiles }

// runMany is runWinograd for many channels. pack packs the weights of one group.
func (p *pass) runMany(s *Scratch, n int, x []float32, pack func(g int, packed []float32), bias, y []float32, add bool) {
	nb, g := p.src.Blocks(), p.grid()
	sp := spans(n*g.tiles(), nb)
	most := chunksOf(min(sp.per, sp.tiles))
	// Few groups are divided further, by chunks; each part then transforms the weights again.
	groups, parts := p.groups(), 1
	if threads := runtime.GOMAXPROCS(0); threads > 1 && groups < 2*threads {
		parts = min(most, (2*threads+groups-1)/groups)
	}
	at := min(runtime.GOMAXPROCS(0), groups*parts)
	packed, transformed := p.perChannel()*p.width(), p.transformed(p.width())
	each := packed + transformed + p.width()*(winoPlane/BlockSize+winoTiles)
	all := s.take(most*nb*winoPlane + at*each)
	v, room := all[:most*nb*winoPlane], all[most*nb*winoPlane:]
	sp.each(func(first, end int) {
		chunks := chunksOf(end - first)
		Parallel(chunks*nb, func(i int) {
			from := first + i/nb*winoTiles
			loadBlock(g, p.src, p.srcRow, p.srcCol, winoPatch, from, min(end, from+winoTiles), i%nb, x, v[i*winoPlane:][:winoPlane])
		})
		workers(at, groups*parts, func(w, i int) {
			room := room[w*each:][:each]
			pw, u := room[:packed], room[packed:]
			m := u[transformed:]
			some := m[p.width()/BlockSize*winoPlane:]
			k, part := i/parts, i%parts
			c := p.channels(k)
			pack(k, pw[:p.perChannel()*c])
			for b := range nb {
				p.transform(k, b, pw, u)
			}
			for chunk := chunks * part / parts; chunk < chunks*(part+1)/parts; chunk++ {
				from := first + chunk*winoTiles
				to := min(end, from+winoTiles)
				p.multiply(k, to-from, v[chunk*nb*winoPlane:][:nb*winoPlane], u, m, some)
				for j := range c / BlockSize {
					b := k*p.width()/BlockSize + j
					offset := zeros[:]
					if bias != nil {
						offset = bias[b*BlockSize:]
					}
					p.store(g, from, to, b, m[j*winoPlane:][:winoPlane], offset, y, add)
				}
			}
		})
	})
}

// weightsMany is weightsWinograd for many channels. It takes scratch, sums of it for g.sum.
func (g *convGrad) weightsMany(sums int) {
	p, nx, ng := g.c.forward, g.c.In.Blocks(), g.c.Out.Blocks()
	tiles := p.grid()
	nb := nx + ng
	sp := spans(g.c.In.N*tiles.tiles(), (nb+1)/2)
	most := chunksOf(min(sp.per, sp.tiles))
	across := (nx + winoSumsX - 1) / winoSumsX
	tasks := across * ((ng + winoSumsG - 1) / winoSumsG)
	at := min(runtime.GOMAXPROCS(0), tasks)
	const each = (winoSumsX*winoSumsG*winoPoints + 9) * winoCell
	all := g.c.scratch.take(sums + most*nb*winoPlane + at*each)
	g.sum = all[:sums]
	v := all[sums:][:most*nb*winoPlane]
	room := all[sums+len(v):]
	sp.each(func(first, end int) {
		Parallel(chunksOf(end-first)*nb, func(i int) {
			from, b := first+i/nb*winoTiles, i%nb
			to := min(end, from+winoTiles)
			if v := v[i*winoPlane:][:winoPlane]; b < nx {
				loadBlock(tiles, p.src, p.srcRow, p.srcCol, winoPatch, from, to, b, g.x, v)
			} else {
				loadBlock(tiles, p.dst, p.dstRow, p.dstCol, winoTile, from, to, b-nx, g.dy, v)
			}
		})
		workers(at, tasks, func(w, i int) {
			g.sumTiles(i%across*winoSumsX, i/across*winoSumsG, end-first, first == 0, v, room[w*each:][:each])
		})
	})
}

// sumTiles sums over n transformed tiles the gradient of the weights between some blocks of x and of dy.
func (g *convGrad) sumTiles(x0, g0, n int, first bool, v, room []float32) {
	nx, ng := g.c.In.Blocks(), g.c.Out.Blocks()
	nb := nx + ng
	wx, wg := min(winoSumsX, nx-x0), min(winoSumsG, ng-g0)
	s, rest := room[:winoSumsX*winoSumsG*winoPoints*winoCell], room[winoSumsX*winoSumsG*winoPoints*winoCell:]
	s = s[:wx*wg*winoPoints*winoCell]
	clear(s)
	whole, left := n/winoTiles, n%winoTiles
	t := outerTile{xStep: 4 * BlockSize, rows: 1, xImage: uintptr(4 * nb * winoPlane), gImage: uintptr(4 * nb * winoPlane)}
	for f := range winoPoints {
		at := f * winoStride * BlockSize
		for k := range wg {
			for b := range wx {
				sum := &s[((k*wx+b)*winoPoints+f)*winoCell]
				x, dy := (x0+b)*winoPlane+at, (nx+g0+k)*winoPlane+at
				if whole > 0 {
					t.x, t.g, t.sum, t.cols, t.images = &v[x], &v[dy], sum, winoTiles, uintptr(whole)
					t.compute(inForce, BlockSize)
				}
				if left > 0 {
					over := whole * nb * winoPlane
					t.x, t.g, t.sum, t.cols, t.images = &v[over+x], &v[over+dy], sum, uintptr(left), 1
					t.compute(inForce, BlockSize)
				}
			}
		}
	}
	for k := range wg {
		for b := range wx {
			to := g.sum[((g0+k)*nx+x0+b)*9*winoCell:][:9*winoCell]
			from := &s[(k*wx+b)*winoPoints*winoCell]
			if first {
				winoSums512(BlockSize, from, &to[0])
				continue
			}
			winoSums512(BlockSize, from, &rest[0])
			addBlocks(to, rest, to, 9*BlockSize, none)
		}
	}
}

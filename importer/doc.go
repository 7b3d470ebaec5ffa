// Package importer makes shard sets of what other programs wrote.
package importer

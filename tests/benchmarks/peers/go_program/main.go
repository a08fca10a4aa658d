// Reads a topic of inference events into windows of 10 s with two sketches a group, in memory.
//
// The honest ceiling of `make bench`: a program that only counts. It keeps nothing on disk,
// confirms nothing to the broker, and trusts every event to be well formed and to come once.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
	"github.com/goccy/go-json"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	windowMicros     = 10_000_000
	relativeAccuracy = 0.005
	fetchBytes       = 64 << 20
	partitionBytes   = 8 << 20
	fetchWait        = 50 * time.Millisecond
	progressEvery    = 10_000
)

// event has the fields that are summed; the decoder skips the others.
type event struct {
	TsEnd        int64   `json:"ts_end"`
	Model        string  `json:"model"`
	StatusCode   int     `json:"status_code"`
	InputTokens  int64   `json:"input_tokens"`
	OutputTokens int64   `json:"output_tokens"`
	TtftMs       float64 `json:"ttft_ms"`
	E2eMs        float64 `json:"e2e_ms"`
}

type key struct {
	window     int64
	model      string
	statusCode int
}

type sums struct {
	events, inputTokens, outputTokens int64
	ttftMs, e2eMs                     float64
	ttft, e2e                         *ddsketch.DDSketch
}

// windows holds the groups of every window: none closes, so no event is late.
type windows struct {
	bins   mapping.IndexMapping
	groups map[key]*sums
}

func newWindows() (*windows, error) {
	bins, err := mapping.NewCubicallyInterpolatedMapping(relativeAccuracy)
	return &windows{bins: bins, groups: map[key]*sums{}}, err
}

func (w *windows) add(e *event) error {
	k := key{e.TsEnd / windowMicros, e.Model, e.StatusCode}
	s, known := w.groups[k]
	if !known {
		s = &sums{ttft: w.sketch(), e2e: w.sketch()}
		w.groups[k] = s
	}
	s.events++
	s.inputTokens += e.InputTokens
	s.outputTokens += e.OutputTokens
	s.ttftMs += e.TtftMs
	s.e2eMs += e.E2eMs
	if err := s.ttft.Add(e.TtftMs); err != nil {
		return err
	}
	return s.e2e.Add(e.E2eMs)
}

func (w *windows) sketch() *ddsketch.DDSketch {
	return ddsketch.NewDDSketch(w.bins, store.NewDenseStore(), store.NewDenseStore())
}

func (w *windows) counted() (events int64) {
	for _, s := range w.groups {
		events += s.events
	}
	return events
}

// consume adds events to the windows until there have been enough of them.
func consume(ctx context.Context, client *kgo.Client, into *windows, enough int64) error {
	for seen := int64(0); seen < enough; {
		fetches := client.PollFetches(ctx)
		for _, failed := range fetches.Errors() {
			return fmt.Errorf("%s/%d: %w", failed.Topic, failed.Partition, failed.Err)
		}
		for records := fetches.RecordIter(); !records.Done(); {
			var e event
			if err := json.Unmarshal(records.Next().Value, &e); err != nil {
				return err
			}
			if err := into.add(&e); err != nil {
				return err
			}
			if seen++; seen%progressEvery == 0 || seen == enough {
				fmt.Println("progress", seen)
			}
		}
	}
	return nil
}

func run(ctx context.Context, servers, topic string, events int64) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(servers, ",")...),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(partitionBytes),
		kgo.FetchMaxWait(fetchWait),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	into, err := newWindows()
	if err != nil {
		return err
	}
	if err := consume(ctx, client, into, events); err != nil {
		return err
	}
	fmt.Println("counted", into.counted())
	return nil
}

func main() {
	servers := flag.String("servers", "127.0.0.1:9092", "addresses of the broker, comma separated")
	topic := flag.String("topic", "", "topic to read from its beginning")
	events := flag.Int64("events", 0, "events after which to end")
	flag.Parse()
	if err := run(context.Background(), *servers, *topic, *events); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

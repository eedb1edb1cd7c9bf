// A Firehose producer with the AWS SDK for Go v2.
//
// One call a line on standard input, one answer a line on standard output (see clients/__init__.py
// for their shape). Blobs are base64 in both directions, which is what encoding/json does to []byte.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/smithy-go"
)

// account is what a client is made of; calls that share it share a client and its connections.
type account struct {
	Endpoint, Region, Key, Secret, Token string
}

type call struct {
	account
	Operation string
	Input     json.RawMessage
}

type answer struct {
	Value   any    `json:"value,omitempty"`
	Error   string `json:"error,omitempty"`
	Message string `json:"message,omitempty"`
}

var clients = map[account]*firehose.Client{}

func clientFor(who account) (*firehose.Client, error) {
	if client, known := clients[who]; known {
		return client, nil
	}
	settings, err := config.LoadDefaultConfig(context.Background(),
		config.WithRegion(who.Region),
		config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(who.Key, who.Secret, who.Token)))
	if err != nil {
		return nil, err
	}
	client := firehose.NewFromConfig(settings, func(options *firehose.Options) {
		options.BaseEndpoint = aws.String(who.Endpoint)
		// A repeated put may rightly arrive twice; the suites count, so nothing may repeat by itself.
		options.Retryer = aws.NopRetryer{}
	})
	clients[who] = client
	return client, nil
}

// perform finds the client's method by its name: each has the shape
// func(context, *Input, ...func(*Options)) (*Output, error).
func perform(request call) (any, error) {
	client, err := clientFor(request.account)
	if err != nil {
		return nil, err
	}
	method := reflect.ValueOf(client).MethodByName(request.Operation)
	if !method.IsValid() {
		return nil, fmt.Errorf("the client has no operation %q", request.Operation)
	}
	input := reflect.New(method.Type().In(1).Elem())
	if err := json.Unmarshal(request.Input, input.Interface()); err != nil {
		return nil, err
	}
	results := method.Call([]reflect.Value{reflect.ValueOf(context.Background()), input})
	if err, failed := results[1].Interface().(error); failed {
		return nil, err
	}
	return results[0].Interface(), nil
}

func answerTo(line []byte) answer {
	var request call
	if err := json.Unmarshal(line, &request); err != nil {
		return answer{Error: "BadCall", Message: err.Error()}
	}
	value, err := perform(request)
	if err == nil {
		return answer{Value: value}
	}
	var refusal smithy.APIError
	if errors.As(err, &refusal) {
		return answer{Error: refusal.ErrorCode(), Message: refusal.ErrorMessage()}
	}
	return answer{Error: "NoAnswer", Message: err.Error()}
}

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	answers := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			return
		}
		if err := answers.Encode(answerTo(line)); err != nil {
			return
		}
	}
}

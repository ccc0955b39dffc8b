// Ollama's dialect as pure functions: its JSON becomes a GenerateRequest, and answers become its
// lines of JSON. What it does with the store of models is ollama_store.h.
//
// As Ollama's own server, which is written in Go, the parsers match the names of fields without
// regard to case, take null for absent, and let the last of several equal fields count. What is of
// a wrong type or out of range is kInvalid with the field's name in `param`; unknown fields and
// options are ignored with a line in the log; a field that is known and not built yet is refused.
// Source: github.com/ollama/ollama, api/types.go and server/routes.go, and its Python client.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/native.h"
#include "base/json.h"

namespace hearth::api {

// The body of a request: kInvalid for an empty one, for what is no JSON and for what is no object.
ApiResult<Json> parse_ollama_body(std::string_view body);

// POST /api/generate and /api/chat. An empty prompt or conversation is kLoad, with `keep_alive` 0
// kUnload; their answers are whole whatever `stream` says. Ids of `context` are >= 0, but may be
// beyond the vocabulary. The model's name is not looked at, except that it must be there.
ApiResult<GenerateRequest> parse_ollama_generate(const Json& body);
ApiResult<GenerateRequest> parse_ollama_chat(const Json& body);

// Seconds as a number, Go's durations ("5m", "1h30m", "300ms"), or seconds as a text; negative is
// forever. kInvalid naming keep_alive.
ApiResult<KeepAlive> parse_ollama_keep_alive(const Json& value);

// The answers; of several choices only the first is told, since Ollama knows no others. They are
// read as newline-delimited JSON, and keep_alive() is nothing: clients take every line for JSON.
std::unique_ptr<AnswerWriter> ollama_generate_writer(const GenerateRequest& request,
                                                     AnswerInfo info);
std::unique_ptr<AnswerWriter> ollama_chat_writer(const GenerateRequest& request, AnswerInfo info);

// {"error": "message"} with the status of the code; 400 for a prompt beyond the context.
ApiReply ollama_error(const ApiError& error);
// Errors whose texts clients look for.
ApiError ollama_model_not_found(std::string_view model);  // "model 'x' not found"
ApiError ollama_model_required();
ApiError ollama_invalid_name();

// {"version": "0.18.3", "hearth": "0.1.0"}: the release of Ollama whose API is spoken, and ours, by
// which our own client knows us. REQUIRES: numbers with dots between; clients compare them (CHECK).
std::string ollama_version(std::string_view version, std::string_view own);

// What lists say of a model.
struct OllamaDetails {
  std::string format, family;
  std::vector<std::string> families;
  std::string parameter_size, quantization;
  int64_t context_length = 0, embedding_length = 0;  // 0: not known
};

struct PsEntry {
  std::string name;     // "smollm2:latest"
  std::string digest;   // of the manifest, 64 hex digits
  uint64_t size = 0;       // bytes of memory in all
  uint64_t size_vram = 0;  // of those, on a GPU
  OllamaDetails details;
  std::optional<int64_t> expires_ns;  // since 1970; nothing: never
  int64_t context_length = 0;
};

// The body of GET /api/ps; the entries come in the order that they are to have.
std::string ollama_ps(std::span<const PsEntry> entries);

}  // namespace hearth::api

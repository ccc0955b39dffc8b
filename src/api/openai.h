// OpenAI's dialect, with the fields that vLLM and llama.cpp add to it, as pure functions: from JSON
// to a native request, and from what is generated to the bytes of the answer. Names, types and
// ranges are those of OpenAI's API reference and of vLLM's protocol.
//
// Every function may be called from any thread; a writer belongs to one answer.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/native.h"
#include "base/json.h"

namespace hearth::api {

// /v1/chat/completions and /v1/completions. A bad value is kInvalid with the field's name, too much
// of something kTooLarge; known fields that are not built yet are refused by name, unknown ones are
// logged and ignored. With echo and logprobs the parameters ask for prompt_logprobs too.
ApiResult<GenerateRequest> parse_openai_chat(const Json& body);
ApiResult<GenerateRequest> parse_openai_completion(const Json& body);

// A stream is Server-Sent Events and ends with [DONE], after an error too. With echo, the first
// delta of a choice is its prompt: its text and tokens, and a logprob for each but the first.
std::unique_ptr<AnswerWriter> openai_chat_writer(const GenerateRequest& request, AnswerInfo info);
std::unique_ptr<AnswerWriter> openai_completion_writer(const GenerateRequest& request,
                                                       AnswerInfo info);

// The status and {"error": {message, type, param, code}}. What cannot be helped by trying again is
// never 5xx, which clients would repeat.
ApiReply openai_error(const ApiError& error);
// The object alone, as streams have it.
void append_openai_error(const ApiError& error, std::string& out);

// A row of /v1/models.
struct ModelEntry {
  std::string id;
  int64_t created_s = 0;  // since 1970
  std::string owned_by = "library";
  int64_t context_max = 0;      // tokens of prompt and answer; 0: not known
  uint64_t size_bytes = 0;      // of its files; 0: not known
};
std::string openai_models(std::span<const ModelEntry> models);
std::string openai_model(const ModelEntry& model);

// /tokenize and /detokenize, in vLLM's words and llama.cpp's.
struct TokenizeRequest {
  std::string model;                  // empty: the server's choice
  std::optional<std::string> text;    // else `messages`, which the model's template renders
  std::vector<ChatMessage> messages;
  bool continue_last = false;         // as GenerateRequest has it
  std::optional<bool> think;
  bool add_special = true;            // what the model puts around a text
  bool parse_special = true;          // control tokens written in the text
  bool entries = false;               // tell each token's entry in the vocabulary
  bool pieces = false;                // tokens as {"id", "piece"}
};
ApiResult<TokenizeRequest> parse_tokenize(const Json& body);
// REQUIRES: the request has a text.
std::vector<TokenId> tokenize(const TokenizeRequest& request, const Tokenizer& tokenizer);
std::string write_tokenized(const TokenizeRequest& request, std::span<const TokenId> tokens,
                            const Tokenizer& tokenizer, int64_t context_max);

struct DetokenizeRequest {
  std::string model;
  std::vector<TokenId> tokens;
};
ApiResult<DetokenizeRequest> parse_detokenize(const Json& body);
// kInvalid for an id that the vocabulary does not have.
ApiResult<std::string> detokenize(const DetokenizeRequest& request, const Tokenizer& tokenizer);

}  // namespace hearth::api

// /tokenize and /detokenize. vLLM asks with "prompt" or "messages", llama.cpp with "content"; the
// one that is there says whose defaults hold.
#include <fmt/format.h>

#include "api/fields.h"
#include "api/openai.h"
#include "api/openai_input.h"
#include "api/openai_logprobs.h"
#include "base/check.h"
#include "base/utf8.h"

namespace hearth::api {
namespace {

constexpr size_t kTextMax = 64 << 20;
constexpr size_t kIdsMax = 1 << 20;
constexpr size_t kModelBytesMax = 1024;

ApiResult<void> read_flag(const Json& body, std::string_view name, bool& out) {
  if (const Json& value = body[name]; !value.is_null()) out = TRY(read_bool(value, name));
  return {};
}

ApiResult<std::string> read_model(const Json& body) {
  if (body["model"].is_null()) return std::string();
  return read_string(body["model"], "model", kModelBytesMax);
}

ApiResult<void> read_text(const Json& body, TokenizeRequest& out) {
  for (std::string_view name : {"prompt", "content"}) {
    if (body[name].is_null()) continue;
    out.text = TRY(read_string(body[name], name, kTextMax));
    out.add_special = name == "prompt";
    return {};
  }
  if (body["messages"].is_null())
    return refuse("prompt", "prompt, messages or content is required");
  out.messages = TRY(read_openai_messages(body["messages"], "messages"));
  out.add_special = false;
  TRY(read_flag(body, "continue_final_message", out.continue_last));
  if (const Json& kwargs = body["chat_template_kwargs"]; !kwargs.is_null()) {
    const Json& think = (*TRY(read_object(kwargs, "chat_template_kwargs")))["enable_thinking"];
    if (!think.is_null()) out.think = TRY(read_bool(think, "chat_template_kwargs.enable_thinking"));
  }
  const Json& tools = body["tools"];
  if (!tools.is_null() && !(tools.is_array() && tools.as_array().empty()))
    return refuse("tools", "tools is not supported yet");
  return {};
}

ApiResult<TokenizeRequest> parse_tokenize_body(const Json& value) {
  const Json& body = *TRY(read_object(value, "body"));
  TokenizeRequest out;
  out.model = TRY(read_model(body));
  TRY(read_text(body, out));
  TRY(read_flag(body, "add_special", out.add_special));
  TRY(read_flag(body, "add_special_tokens", out.add_special));
  TRY(read_flag(body, "parse_special", out.parse_special));
  TRY(read_flag(body, "return_token_strs", out.entries));
  TRY(read_flag(body, "with_pieces", out.pieces));
  return out;
}

void append_id(std::string& out, TokenId id, const TokenizeRequest& request,
               const Tokenizer& tokenizer) {
  if (!request.pieces) return append_number(out, int64_t{id});
  out += "{\"id\":";
  append_number(out, int64_t{id});
  out += ",\"piece\":";
  std::string piece = tokenizer.piece(id, true);
  if (is_valid_utf8(piece)) {
    append_json_string(out, piece);
  } else {
    out += '[';
    for (size_t i = 0; i < piece.size(); ++i) {
      if (i > 0) out += ',';
      append_number(out, static_cast<int64_t>(static_cast<unsigned char>(piece[i])));
    }
    out += ']';
  }
  out += '}';
}

}  // namespace

ApiResult<TokenizeRequest> parse_tokenize(const Json& body) {
  return with_memory([&] { return parse_tokenize_body(body); });
}

std::vector<TokenId> tokenize(const TokenizeRequest& request, const Tokenizer& tokenizer) {
  CHECK(request.text.has_value());
  return tokenizer.encode(*request.text, {.add_special = request.add_special,
                                          .parse_special = request.parse_special});
}

std::string write_tokenized(const TokenizeRequest& request, std::span<const TokenId> tokens,
                            const Tokenizer& tokenizer, int64_t context_max) {
  std::string out = "{\"count\":";
  append_number(out, static_cast<int64_t>(tokens.size()));
  out += ",\"max_model_len\":";
  if (context_max > 0) append_number(out, context_max);
  else out += "null";
  out += ",\"tokens\":[";
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) out += ',';
    append_id(out, tokens[i], request, tokenizer);
  }
  out += "],\"token_strs\":";
  if (request.entries) {
    out += '[';
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0) out += ',';
      append_json_string(out, tokenizer.entry(tokens[i]));
    }
    out += ']';
  } else {
    out += "null";
  }
  out += '}';
  return out;
}

ApiResult<DetokenizeRequest> parse_detokenize(const Json& value) {
  return with_memory([&]() -> ApiResult<DetokenizeRequest> {
    const Json& body = *TRY(read_object(value, "body"));
    DetokenizeRequest out;
    out.model = TRY(read_model(body));
    out.tokens = TRY(read_ids(body["tokens"], "tokens", kIdsMax));
    return out;
  });
}

ApiResult<std::string> detokenize(const DetokenizeRequest& request, const Tokenizer& tokenizer) {
  for (size_t i = 0; i < request.tokens.size(); ++i)
    if (request.tokens[i] >= tokenizer.size())
      return refuse(fmt::format("tokens[{}]", i), "tokens[{}] is {}, but the vocabulary has {}", i,
                    request.tokens[i], tokenizer.size());
  std::string text = tokenizer.decode(request.tokens, true);
  std::string out = "{\"prompt\":";
  append_json_string(out, text);
  out += ",\"content\":";
  append_json_string(out, text);
  out += '}';
  return out;
}

}  // namespace hearth::api

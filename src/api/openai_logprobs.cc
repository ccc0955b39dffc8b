#include "api/openai_logprobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/json.h"
#include "base/utf8.h"

namespace hearth::api {
namespace {

// {"token": ..., "logprob": ..., "bytes": [...]   without the end
void append_token(std::string& out, const Tokenizer& tokenizer, const TokenLogprob& token) {
  std::string bytes = tokenizer.piece(token.id, true);
  out += "{\"token\":";
  append_json_string(out, bytes);
  out += ",\"logprob\":";
  append_number(out, token.logprob);
  out += ",\"bytes\":[";
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) out += ',';
    append_number(out, static_cast<int64_t>(static_cast<unsigned char>(bytes[i])));
  }
  out += ']';
}

void append_ranked(std::string& out, const Tokenizer& tokenizer, const TokenLogprob& token,
                   size_t rank) {
  out += '"';
  append_number(out, int64_t{token.id});
  out += "\":{\"logprob\":";
  append_number(out, token.logprob);
  out += ",\"rank\":";
  if (rank > 0) append_number(out, static_cast<int64_t>(rank));
  else out += "null";
  out += ",\"decoded_token\":";
  append_json_string(out, tokenizer.piece(token.id, true));
  out += '}';
}

// Characters that begin within these bytes, so that the parts of a character add up to one.
int64_t characters_in(std::string_view bytes) {
  return std::ranges::count_if(bytes, [](char c) { return (c & 0xC0) != 0x80; });
}

}  // namespace

void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) value = -9999.0;
  bool integral = value == std::trunc(value) && std::abs(value) < 1e15;
  if (integral) fmt::format_to(std::back_inserter(out), "{:.1f}", value);
  else fmt::format_to(std::back_inserter(out), "{}", value);
}

void append_number(std::string& out, int64_t value) {
  fmt::format_int digits(value);
  out.append(digits.data(), digits.size());
}

void append_chat_logprobs(std::string& out, const Tokenizer& tokenizer,
                          std::span<const TokenLogprobs> tokens) {
  out += "{\"content\":[";
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) out += ',';
    append_token(out, tokenizer, tokens[i].chosen);
    out += ",\"top_logprobs\":[";
    for (size_t j = 0; j < tokens[i].top.size(); ++j) {
      if (j > 0) out += ',';
      append_token(out, tokenizer, tokens[i].top[j]);
      out += '}';
    }
    out += "]}";
  }
  out += "],\"refusal\":null}";
}

void append_prompt_logprobs(std::string& out, const Tokenizer& tokenizer,
                            std::span<const TokenLogprobs> tokens) {
  out += "[null";
  for (const TokenLogprobs& token : tokens) {
    auto among = std::ranges::find(token.top, token.chosen.id, &TokenLogprob::id);
    size_t rank = among == token.top.end() ? 0 : static_cast<size_t>(among - token.top.begin()) + 1;
    out += ",{";
    append_ranked(out, tokenizer, token.chosen, rank);
    for (size_t i = 0; i < token.top.size(); ++i) {
      if (i + 1 == rank) continue;
      out += ',';
      append_ranked(out, tokenizer, token.top[i], i + 1);
    }
    out += '}';
  }
  out += ']';
}

// What the token adds to the offset: nothing for a control token, unless the text has it written.
int64_t CompletionLogprobs::take(TokenId token, Offset& offset, std::string_view* text) const {
  int64_t begin = offset.characters;
  std::string bytes = tokenizer_->piece(token, false);
  if (bytes.empty()) {
    std::string written = tokenizer_->piece(token, true);
    if (text == nullptr || written.empty() || !text->starts_with(written)) return begin;
    bytes = std::move(written);
  } else {
    tokenizer_->strip_start(token, bytes, offset.start);
  }
  offset.characters += characters_in(bytes);
  if (text != nullptr) text->remove_prefix(std::min(bytes.size(), text->size()));
  return begin;
}

void CompletionLogprobs::add_prompt(std::span<const TokenId> tokens,
                                    std::span<const TokenLogprobs> logprobs,
                                    std::string_view text, Offset& offset) {
  std::string_view rest = text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    bool known = i > 0 && i - 1 < logprobs.size();
    entries_.push_back({.token = tokens[i],
                        .logprobs = known ? &logprobs[i - 1] : nullptr,
                        .offset = take(tokens[i], offset, &rest)});
  }
  // Where a tokenizer normalises, its tokens are not as long as the text.
  offset.characters = characters_in(text);
  offset.start = false;
}

void CompletionLogprobs::add(TokenId token, const TokenLogprobs* logprobs, Offset& offset) {
  entries_.push_back({token, logprobs, take(token, offset, nullptr)});
}

// A text that several tokens have stands once, with the likeliest: readers look for the maximum.
void CompletionLogprobs::append_top(std::string& out, const TokenLogprobs& logprobs) {
  top_.clear();
  auto put = [&](const TokenLogprob& token) {
    std::string text = replace_invalid_utf8(tokenizer_->piece(token.id, true));
    auto same = std::ranges::find(top_, text, &std::pair<std::string, double>::first);
    if (same == top_.end()) top_.emplace_back(std::move(text), token.logprob);
    else same->second = std::max(same->second, token.logprob);
  };
  put(logprobs.chosen);
  for (const TokenLogprob& token : logprobs.top)
    if (token.id != logprobs.chosen.id) put(token);
  out += '{';
  for (size_t i = 0; i < top_.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, top_[i].first);
    out += ':';
    append_number(out, top_[i].second);
  }
  out += '}';
}

void CompletionLogprobs::append_to(std::string& out) {
  auto list = [&](std::string_view name, auto&& append) {
    out += name;
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (i > 0) out += ',';
      append(entries_[i]);
    }
  };
  list("{\"tokens\":[", [&](const Entry& entry) {
    append_json_string(out, tokenizer_->piece(entry.token, true));
  });
  list("],\"token_logprobs\":[", [&](const Entry& entry) {
    if (entry.logprobs == nullptr) out += "null";
    else append_number(out, entry.logprobs->chosen.logprob);
  });
  list("],\"top_logprobs\":[", [&](const Entry& entry) {
    if (entry.logprobs == nullptr) out += "null";
    else append_top(out, *entry.logprobs);
  });
  list("],\"text_offset\":[", [&](const Entry& entry) { append_number(out, entry.offset); });
  out += "]}";
}

}  // namespace hearth::api

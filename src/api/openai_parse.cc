// The fields of a request, one row each; what depends on several of them comes after all were read.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "api/fields.h"
#include "api/openai.h"
#include "api/openai_input.h"
#include "base/check.h"
#include "registry/parameters.h"

namespace hearth::api {
namespace {

constexpr size_t kModelBytesMax = 1024;
constexpr size_t kWordBytesMax = 4096;   // of user and cache_salt, and of one stop
constexpr size_t kSuffixBytesMax = 16 << 20;
constexpr size_t kStopsMax = 128;
// Of other lists. Each value that is set copies those before it (base/options.h).
constexpr size_t kListMax = 1024;
constexpr size_t kItemBytesMax = 1024;
constexpr int64_t kChoicesMax = 4096;    // of all prompts
constexpr int64_t kLogprobsMax = 20;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kTokensMax = 2147483647;

constexpr uint8_t kChat = 1, kCompletion = 2, kBoth = 3;

// What has been read so far.
struct Reading {
  uint8_t route = kChat;
  GenerateRequest out;
  const Json* messages = nullptr;
  const Json* prompt = nullptr;
  const Json* stream_options = nullptr;
  std::optional<int64_t> max_tokens, max_completion_tokens;
  std::optional<bool> logprobs;  // of a chat
  std::optional<int64_t> top_logprobs;
  std::optional<bool> think, kwargs_think, effort_think;  // the first that is there counts
  std::optional<bool> add_generation_prompt;
  bool beams = false;
  std::vector<std::string_view> ignored;
};

struct FieldRow;
using FieldReader = ApiResult<void> (*)(Reading&, const FieldRow&, const Json&);
struct FieldRow {
  std::string_view name;
  FieldReader read;
  uint8_t routes = kBoth;
  std::string_view parameter = {};  // the row of parameter_rows() it goes to, if another
  double min = -kInfinity, max = kInfinity;  // narrower than the row's
};

// ---- values that become parameters

ApiResult<void> put(Reading& r, std::string_view row, std::string_view text,
                    std::string_view label) {
  return of_field(r.out.parameters.set(row, text, label), label);
}

ApiResult<void> put_texts(Reading& r, const OptionRow& row, std::string_view label,
                          const Json& value) {
  // llama.cpp takes the order of samplers as a list.
  bool joined = row.name == "samplers";
  std::vector<std::string> texts = TRY(read_strings(value, label, kListMax, kItemBytesMax));
  if (joined) return put(r, row.name, fmt::format("{}", fmt::join(texts, ";")), label);
  if (!row.many && !value.is_string())
    return refuse(label, "{} takes a string, not {}", label, value.kind());
  for (const std::string& text : texts) TRY(put(r, row.name, text, label));
  return {};
}

// By the type of the row, within its range and the one given.
ApiResult<void> put_value(Reading& r, const OptionRow& row, std::string_view label,
                          const Json& value, double min = -kInfinity, double max = kInfinity) {
  min = std::max(min, row.min), max = std::min(max, row.max);
  switch (row.type) {
    case OptionType::kFlag: {
      bool flag = TRY(read_bool(value, label));
      return put(r, row.name, flag ? "true" : "false", label);
    }
    case OptionType::kInt: {
      constexpr double kWhole = 9.2e18;  // what int64 holds, about
      int64_t number = TRY(read_int(value, label, static_cast<int64_t>(std::max(min, -kWhole)),
                                    static_cast<int64_t>(std::min(max, kWhole))));
      return put(r, row.name, fmt::format("{}", number), label);
    }
    case OptionType::kFloat: {
      double number = TRY(read_number(value, label, min, max));
      return put(r, row.name, fmt::format("{}", number), label);
    }
    case OptionType::kString:
    case OptionType::kChoice:
    case OptionType::kPath: return put_texts(r, row, label, value);
  }
  return {};
}

ApiResult<void> parameter(Reading& r, const FieldRow& field, const Json& value) {
  std::string_view name = field.parameter.empty() ? field.name : field.parameter;
  const OptionRow* row = r.out.parameters.find_row(name);
  CHECK(row != nullptr);
  return put_value(r, *row, field.name, value, field.min, field.max);
}

ApiResult<void> read_top_p(Reading& r, const FieldRow& field, const Json& value) {
  if (value.is_number() && value.as_double() == 0)
    return refuse(field.name, "top_p takes a number above 0 and at most 1, not 0");
  return parameter(r, field, value);
}

// -1 is all, as 0 is.
ApiResult<void> read_top_k(Reading& r, const FieldRow& field, const Json& value) {
  int64_t k = TRY(read_int(value, field.name, -1, kTokensMax));
  return put(r, "top_k", fmt::format("{}", std::max<int64_t>(k, 0)), field.name);
}

ApiResult<void> read_stop(Reading& r, const FieldRow& field, const Json& value) {
  for (const std::string& stop : TRY(read_strings(value, field.name, kStopsMax, kWordBytesMax)))
    if (!stop.empty()) TRY(put(r, "stop", stop, field.name));
  return {};
}

ApiResult<void> read_stop_ids(Reading& r, const FieldRow& field, const Json& value) {
  for (TokenId id : TRY(read_ids(value, field.name, kListMax)))
    TRY(put(r, "stop_token_ids", fmt::format("{}", id), field.name));
  return {};
}

// One bias: a number, or false for never.
ApiResult<void> put_bias(Reading& r, std::string_view token, const Json& bias,
                         const std::string& name) {
  auto id = parse_int(token);
  if (!id || *id < 0 || *id > kTokensMax)
    return refuse(name, "{}: '{}' is no token id", name, token);
  if (bias.is_bool() && !bias.as_bool())
    return put(r, "logit_bias", fmt::format("{}:false", *id), name);
  double number = TRY(read_number(bias, name, -100, 100));
  return put(r, "logit_bias", fmt::format("{}:{}", *id, number), name);
}

// {"15043": -1.5}, or llama.cpp's [[15043, -1.5]].
ApiResult<void> read_logit_bias(Reading& r, const FieldRow& field, const Json& value) {
  size_t count = value.is_object()  ? value.as_object().size()
                 : value.is_array() ? value.as_array().size()
                                    : 0;
  if (count > kListMax) return refuse_size(field.name, kListMax, "tokens");
  if (value.is_object()) {
    for (const auto& [token, bias] : value.as_object())
      TRY(put_bias(r, token, bias, fmt::format("logit_bias.{}", token.substr(0, 32))));
    return {};
  }
  if (!value.is_array())
    return refuse(field.name, "logit_bias takes an object of token ids, not {}", value.kind());
  for (size_t i = 0; i < count; ++i) {
    std::string name = fmt::format("logit_bias[{}]", i);
    const Json& pair = value.as_array()[i];
    if (!pair.is_array() || pair.as_array().size() != 2 || !pair.as_array()[0].is_int())
      return refuse(name, "{} takes a token id and its bias", name);
    TRY(put_bias(r, fmt::format("{}", pair.as_array()[0].as_int()), pair.as_array()[1], name));
  }
  return {};
}

// Ollama's, as its users put them into the body of this dialect too.
ApiResult<void> read_options(Reading& r, const FieldRow& field, const Json& value) {
  for (const auto& [name, option] : (*TRY(read_object(value, field.name))).as_object()) {
    const OptionRow* row = r.out.parameters.find_row(name);
    bool last = &option == value.find(name);  // of several with this name
    if (!last || option.is_null()) continue;
    if (row == nullptr) r.ignored.push_back(name);
    else TRY(put_value(r, *row, fmt::format("options.{}", name), option));
  }
  return {};
}

// ---- values that go elsewhere

template <auto Member, size_t BytesMax>
ApiResult<void> text(Reading& r, const FieldRow& field, const Json& value) {
  r.out.*Member = TRY(read_string(value, field.name, BytesMax));
  return {};
}
template <auto Member>
ApiResult<void> flag(Reading& r, const FieldRow& field, const Json& value) {
  r.out.*Member = TRY(read_bool(value, field.name));
  return {};
}
template <auto Member>
ApiResult<void> note_flag(Reading& r, const FieldRow& field, const Json& value) {
  r.*Member = TRY(read_bool(value, field.name));
  return {};
}
template <auto Member>
ApiResult<void> note_int(Reading& r, const FieldRow& field, const Json& value) {
  r.*Member = TRY(read_int(value, field.name, static_cast<int64_t>(field.min),
                           static_cast<int64_t>(field.max)));
  return {};
}
template <auto Member>
ApiResult<void> note(Reading& r, const FieldRow&, const Json& value) {
  r.*Member = &value;
  return {};
}

template <auto Member>
ApiResult<void> whole(Reading& r, const FieldRow& field, const Json& value) {
  r.out.*Member = TRY(read_int(value, field.name, static_cast<int64_t>(field.min),
                               static_cast<int64_t>(field.max)));
  return {};
}

// An empty one is none, as editors send it at the end of a file.
ApiResult<void> read_suffix(Reading& r, const FieldRow& field, const Json& value) {
  std::string suffix = TRY(read_string(value, field.name, kSuffixBytesMax));
  if (!suffix.empty()) r.out.suffix = std::move(suffix);
  return {};
}

ApiResult<void> read_keep(Reading& r, const FieldRow& field, const Json& value) {
  r.out.keep_alive = TRY(read_keep_alive(value, field.name));
  return {};
}

// vLLM's lower numbers go first, ours the higher ones.
ApiResult<void> read_priority(Reading& r, const FieldRow& field, const Json& value) {
  int64_t number = TRY(read_int(value, field.name, -kTokensMax, kTokensMax));
  r.out.priority = static_cast<int32_t>(-number);
  return {};
}

// How hard the model is to think: here only whether.
ApiResult<bool> read_effort(const Json& value, std::string_view name) {
  constexpr std::string_view kEfforts[] = {"minimal", "low", "medium", "high",
                                           "xhigh",   "max", "ultra"};
  std::string word = TRY(read_string(value, name, 64));
  if (word == "none") return false;
  if (std::ranges::find(kEfforts, std::string_view(word)) != std::end(kEfforts)) return true;
  return refuse(name, "{} takes none, {}, not '{}'", name, fmt::join(kEfforts, ", "), word);
}

ApiResult<void> read_reasoning_effort(Reading& r, const FieldRow& field, const Json& value) {
  r.effort_think = TRY(read_effort(value, field.name));
  return {};
}

ApiResult<void> read_reasoning(Reading& r, const FieldRow& field, const Json& value) {
  const Json& object = *TRY(read_object(value, field.name));
  if (const Json& effort = object["effort"]; !effort.is_null())
    r.effort_think = TRY(read_effort(effort, "reasoning.effort"));
  if (const Json& enabled = object["enabled"]; !enabled.is_null())
    r.effort_think = TRY(read_bool(enabled, "reasoning.enabled"));
  return {};
}

ApiResult<void> read_think(Reading& r, const FieldRow& field, const Json& value) {
  r.think = value.is_string() ? TRY(read_effort(value, field.name))
                              : TRY(read_bool(value, field.name));
  return {};
}

ApiResult<void> read_template_kwargs(Reading& r, const FieldRow& field, const Json& value) {
  for (const auto& [name, member] : (*TRY(read_object(value, field.name))).as_object()) {
    if (member.is_null()) continue;
    if (name == "enable_thinking" || name == "thinking")
      r.kwargs_think = TRY(read_bool(member, fmt::format("{}.{}", field.name, name)));
    else
      r.ignored.push_back(name);
  }
  return {};
}

// ---- fields whose one value is what happens anyway

ApiResult<void> accept(Reading&, const FieldRow&, const Json&) { return {}; }

// Known, not built: only what asks for nothing passes.
ApiResult<void> not_built(Reading&, const FieldRow& field, const Json& value) {
  bool asks = !((value.is_bool() && !value.as_bool()) ||
                (value.is_string() && value.as_string().empty()) ||
                (value.is_array() && value.as_array().empty()) ||
                (value.is_object() && value.as_object().empty()));
  if (asks) return refuse(field.name, "{} is not supported yet", field.name);
  return {};
}

template <bool Only>
ApiResult<void> only(Reading&, const FieldRow& field, const Json& value) {
  if (TRY(read_bool(value, field.name)) != Only)
    return refuse(field.name, "{}: {} is not supported yet", field.name, !Only);
  return {};
}

ApiResult<void> read_tool_choice(Reading&, const FieldRow& field, const Json& value) {
  if (value.is_string() && (value.as_string() == "none" || value.as_string() == "auto")) return {};
  return refuse(field.name, "{}: tools are not supported yet", field.name);
}

ApiResult<void> read_response_format(Reading&, const FieldRow& field, const Json& value) {
  const Json& type = (*TRY(read_object(value, field.name)))["type"];
  std::string word = TRY(read_string(type, "response_format.type", 64));
  if (word != "text")
    return refuse(field.name, "response_format: the type '{}' is not supported yet", word);
  return {};
}

ApiResult<void> read_modalities(Reading&, const FieldRow& field, const Json& value) {
  for (const std::string& word : TRY(read_strings(value, field.name, 16, 64)))
    if (word != "text") return refuse(field.name, "modalities: only text is supported yet");
  return {};
}

constexpr FieldRow kFields[] = {
    // OpenAI's
    {"model", text<&GenerateRequest::model, kModelBytesMax>},
    {"messages", note<&Reading::messages>, kChat},
    {"prompt", note<&Reading::prompt>, kCompletion},
    {"suffix", read_suffix, kCompletion},
    {"echo", flag<&GenerateRequest::echo>, kCompletion},
    {"echo", only<false>, kChat},
    {"stream", flag<&GenerateRequest::stream>},
    {"stream_options", note<&Reading::stream_options>},
    // A chat of no tokens says nothing; a completion of none scores its prompt.
    {"max_tokens", note_int<&Reading::max_tokens>, kBoth, {}, -1, kTokensMax},
    {"max_completion_tokens", note_int<&Reading::max_completion_tokens>, kBoth, {}, -1,
     kTokensMax},
    {"temperature", parameter, kBoth, {}, 0, 2},
    {"top_p", read_top_p},
    {"n", parameter},
    {"best_of", parameter, kCompletion, {}, 1, kInfinity},
    {"stop", read_stop},
    {"seed", parameter},
    {"presence_penalty", parameter, kBoth, {}, -2, 2},
    {"frequency_penalty", parameter, kBoth, {}, -2, 2},
    {"logit_bias", read_logit_bias},
    {"logprobs", note_flag<&Reading::logprobs>, kChat},
    {"logprobs", parameter, kCompletion, {}, 0, kLogprobsMax},
    {"top_logprobs", note_int<&Reading::top_logprobs>, kChat, {}, 0, kLogprobsMax},
    {"user", text<&GenerateRequest::user, kWordBytesMax>},
    {"reasoning_effort", read_reasoning_effort, kChat},
    {"reasoning", read_reasoning, kChat},
    {"tool_choice", read_tool_choice},
    {"function_call", read_tool_choice},
    {"response_format", read_response_format},
    {"modalities", read_modalities},
    {"tools", not_built},
    {"functions", not_built},
    {"audio", not_built},
    {"web_search_options", not_built},
    {"parallel_tool_calls", accept},
    {"metadata", accept},
    {"store", accept},
    {"service_tier", accept},
    {"prediction", accept},
    {"verbosity", accept},
    {"safety_identifier", accept},
    {"prompt_cache_key", accept},
    {"prompt_cache_retention", accept},
    // vLLM's
    {"top_k", read_top_k},
    {"repetition_penalty", parameter, kBoth, "repeat_penalty"},
    {"stop_token_ids", read_stop_ids},
    {"prompt_logprobs", parameter, kBoth, {}, 0, kLogprobsMax},
    {"use_beam_search", note_flag<&Reading::beams>},
    {"include_stop_str_in_output", only<false>},
    {"skip_special_tokens", only<true>},
    {"spaces_between_special_tokens", accept},
    {"add_special_tokens", only<true>, kCompletion},
    {"add_special_tokens", only<false>, kChat},
    {"add_generation_prompt", note_flag<&Reading::add_generation_prompt>, kChat},
    {"continue_final_message", flag<&GenerateRequest::continue_last>, kChat},
    {"chat_template_kwargs", read_template_kwargs, kChat},
    {"include_reasoning", only<true>},
    {"priority", read_priority},
    {"cache_salt", text<&GenerateRequest::cache_salt, kWordBytesMax>},
    {"request_id", accept},
    {"truncate_prompt_tokens", not_built},
    {"logprob_token_ids", not_built},
    {"allowed_token_ids", not_built},
    {"thinking_token_budget", not_built},
    {"repetition_detection", not_built},
    {"logits_processors", not_built},
    {"prompt_embeds", not_built},
    {"documents", not_built},
    {"chat_template", not_built},
    {"structured_outputs", not_built},
    {"return_token_ids", only<false>},
    {"return_tokens_as_token_ids", only<false>},
    // ours
    {"cache_pin", whole<&GenerateRequest::cache_pin_s>, kBoth, {}, 0, kCachePinMax},
    // llama.cpp's
    {"grammar", not_built},
    {"json_schema", not_built},
    {"lora", not_built},
    {"cache_prompt", accept},
    // Ollama's, and those that its users try here
    {"format", not_built},
    {"options", read_options},
    {"keep_alive", read_keep},
    {"think", read_think},
};

ApiResult<void> read_field(Reading& r, const std::string& name, const Json& value) {
  for (const FieldRow& field : kFields)
    if (field.name == name && (field.routes & r.route) != 0) return field.read(r, field, value);
  if (name.starts_with("guided_")) return not_built(r, {.name = name, .read = not_built}, value);
  const OptionRow* row = r.out.parameters.find_row(name);
  if (row != nullptr) return put_value(r, *row, name, value);
  r.ignored.push_back(name);
  return {};
}

// ---- what depends on several fields

int64_t choices_of(const Options& parameters) {
  return std::max({parameters.integer("n", 1), parameters.integer("best_of", 0),
                   parameters.integer("num_beams", 1)});
}

ApiResult<void> finish_stream(Reading& r) {
  if (r.stream_options == nullptr) return {};
  const Json& options = *TRY(read_object(*r.stream_options, "stream_options"));
  if (!r.out.stream)
    return refuse("stream_options", "stream_options can only be given with \"stream\": true");
  auto asked = [&](std::string_view name) -> ApiResult<bool> {
    if (options[name].is_null()) return false;
    return read_bool(options[name], fmt::format("stream_options.{}", name));
  };
  r.out.stream_usage = TRY(asked("include_usage"));
  r.out.continuous_usage = TRY(asked("continuous_usage_stats")) && r.out.stream_usage;
  return {};
}

ApiResult<void> finish_length(Reading& r) {
  std::string_view name = r.max_completion_tokens ? "max_completion_tokens" : "max_tokens";
  std::optional<int64_t> limit = r.max_completion_tokens ? r.max_completion_tokens : r.max_tokens;
  if (!limit && r.route == kCompletion && !r.out.parameters.given("num_predict")) limit = 16;
  if (!limit) return {};
  if (*limit == 0 && r.route == kChat)
    return refuse(name, "{} takes a whole number of at least 1, or -1 for no limit", name);
  return put(r, "num_predict", fmt::format("{}", *limit), name);
}

ApiResult<void> finish_logprobs(Reading& r) {
  Options& parameters = r.out.parameters;
  if (r.route == kChat) {
    bool asked = r.logprobs.value_or(false);
    if (!asked && r.top_logprobs.value_or(0) > 0)
      return refuse("top_logprobs", "top_logprobs can only be given with \"logprobs\": true");
    if (asked)
      TRY(put(r, "logprobs", fmt::format("{}", r.top_logprobs.value_or(0)), "top_logprobs"));
  }
  for (std::string_view name : {"logprobs", "prompt_logprobs"})  // they may come as options too
    if (parameters.integer(name, -1) > kLogprobsMax)
      return refuse(name, "{} takes a whole number from 0 to {}", name, kLogprobsMax);
  if (r.out.stream && parameters.integer("prompt_logprobs", -1) >= 0)
    return refuse("prompt_logprobs", "prompt_logprobs cannot be streamed");
  if (r.out.echo && parameters.integer("logprobs", -1) > parameters.integer("prompt_logprobs", -1))
    TRY(put(r, "prompt_logprobs", fmt::format("{}", parameters.integer("logprobs")), "logprobs"));
  return {};
}

ApiResult<void> finish_choices(Reading& r) {
  Options& parameters = r.out.parameters;
  int64_t n = parameters.integer("n", 1), best_of = parameters.integer("best_of", 0);
  if (best_of > 0 && best_of < n)
    return refuse("best_of", "best_of is {}, but n is {}: there would not be enough", best_of, n);
  if (best_of > n && r.out.stream)
    return refuse("best_of", "best_of is {}, and such an answer cannot be streamed", best_of);
  if (r.beams && r.out.stream)
    return refuse("use_beam_search", "use_beam_search cannot be streamed");
  if (r.beams && n > 1) TRY(put(r, "num_beams", fmt::format("{}", n), "n"));
  if (r.beams && n == 1) TRY(put(r, "temperature", "0", "use_beam_search"));  // a beam of one
  auto prompts = static_cast<int64_t>(r.out.prompts.size());
  if (prompts * choices_of(parameters) > kChoicesMax)
    return refuse_size("prompt", static_cast<size_t>(kChoicesMax), "choices in all");
  return {};
}

ApiResult<void> finish_chat(Reading& r) {
  r.out.think = r.think ? r.think : r.kwargs_think ? r.kwargs_think : r.effort_think;
  if (!r.out.continue_last) {
    if (!r.add_generation_prompt.value_or(true))
      return refuse("add_generation_prompt", "add_generation_prompt: false is not supported yet");
    return {};
  }
  if (r.add_generation_prompt.value_or(false))
    return refuse("continue_final_message",
                  "continue_final_message and add_generation_prompt exclude each other");
  if (r.out.messages.back().role != "assistant")
    return refuse("continue_final_message",
                  "continue_final_message needs a last message of the assistant's");
  return {};
}

// The penalties of OpenAI and vLLM look at all of the text, Ollama's at its last 64 tokens.
ApiResult<void> finish_penalties(Reading& r) {
  Options& parameters = r.out.parameters;
  bool given = parameters.given("repeat_penalty") || parameters.given("presence_penalty") ||
               parameters.given("frequency_penalty");
  if (!given || parameters.given("repeat_last_n")) return {};
  return put(r, "repeat_last_n", "-1", "repeat_last_n");
}

ApiResult<void> finish_input(Reading& r) {
  if (r.out.model.empty()) return refuse("model", "model is required");
  if (r.route == kChat) {
    if (r.messages == nullptr) return refuse("messages", "messages is required");
    r.out.messages = TRY(read_openai_messages(*r.messages, "messages"));
    return {};
  }
  if (r.prompt == nullptr) return refuse("prompt", "prompt is required");
  r.out.prompts = TRY(read_openai_prompts(*r.prompt, "prompt"));
  bool ids = std::ranges::any_of(r.out.prompts, [](const PromptInput& prompt) {
    return std::holds_alternative<std::vector<TokenId>>(prompt);
  });
  if (r.out.suffix && ids) return refuse("suffix", "suffix needs a prompt that is text");
  return {};
}

ApiResult<GenerateRequest> parse(const Json& body, uint8_t route) {
  Reading r{.route = route};
  r.out.kind = route == kChat ? RequestKind::kChat : RequestKind::kComplete;
  r.out.defaults.temperature = 1;
  r.out.defaults.top_p = 1;
  r.out.defaults.top_k = 0;
  r.out.parameters = Options(parameter_rows());
  const Json& object = *TRY(read_object(body, "body"));
  for (const auto& [name, value] : object.as_object()) {
    bool last = &value == object.find(name);  // of several with this name
    if (last && !value.is_null()) TRY(read_field(r, name, value));
  }
  TRY(finish_input(r));
  TRY(finish_stream(r));
  TRY(finish_length(r));
  TRY(finish_logprobs(r));
  TRY(finish_choices(r));
  TRY(finish_penalties(r));
  if (route == kChat) TRY(finish_chat(r));
  log_ignored(route == kChat ? "chat completion" : "completion", r.ignored);
  return std::move(r.out);
}

}  // namespace

ApiResult<GenerateRequest> parse_openai_chat(const Json& body) {
  return with_memory([&] { return parse(body, kChat); });
}

ApiResult<GenerateRequest> parse_openai_completion(const Json& body) {
  return with_memory([&] { return parse(body, kCompletion); });
}

}  // namespace hearth::api

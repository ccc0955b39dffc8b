// Ollama's requests become native ones.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "api/ollama.h"
#include "api/ollama_fields.h"
#include "registry/parameters.h"

namespace hearth::api {
namespace {

using namespace ollama;

// The fields of both routes as they came; each route has a table of those that it knows.
struct Fields {
  std::string model, prompt, suffix, system, template_text;
  bool stream = true, raw = false, logprobs = false, debug_render_only = false;
  std::optional<bool> truncate, shift;
  const Json* messages = nullptr;
  const Json* context = nullptr;
  const Json* format = nullptr;
  const Json* tools = nullptr;
  const Json* images = nullptr;
  const Json* keep_alive = nullptr;
  const Json* cache_pin = nullptr;
  const Json* options = nullptr;
  const Json* think = nullptr;
  const Json* top_logprobs = nullptr;
};

constexpr FieldRow<Fields> kGenerateRows[] = {
    {"model", &Fields::model},
    {"prompt", &Fields::prompt},
    {"suffix", &Fields::suffix},
    {"system", &Fields::system},
    {"template", &Fields::template_text},
    {"context", &Fields::context},
    {"stream", &Fields::stream},
    {"raw", &Fields::raw},
    {"format", &Fields::format},
    {"keep_alive", &Fields::keep_alive},
    {"cache_pin", &Fields::cache_pin},
    {"images", &Fields::images},
    {"options", &Fields::options},
    {"think", &Fields::think},
    {"truncate", &Fields::truncate},
    {"shift", &Fields::shift},
    {"logprobs", &Fields::logprobs},
    {"top_logprobs", &Fields::top_logprobs},
    {"_debug_render_only", &Fields::debug_render_only},
};

constexpr FieldRow<Fields> kChatRows[] = {
    {"model", &Fields::model},
    {"messages", &Fields::messages},
    {"tools", &Fields::tools},
    {"stream", &Fields::stream},
    {"format", &Fields::format},
    {"keep_alive", &Fields::keep_alive},
    {"cache_pin", &Fields::cache_pin},
    {"options", &Fields::options},
    {"think", &Fields::think},
    {"truncate", &Fields::truncate},
    {"shift", &Fields::shift},
    {"logprobs", &Fields::logprobs},
    {"top_logprobs", &Fields::top_logprobs},
    {"_debug_render_only", &Fields::debug_render_only},
};

// What a message may hold. Earlier thinking is read and left out, as the templates of models that
// think do with it; a tool's name comes only with a tool's role, which is refused.
struct MessageFields {
  std::string role, content, thinking, tool_name, tool_call_id;
  const Json* images = nullptr;
  const Json* tool_calls = nullptr;
};

constexpr FieldRow<MessageFields> kMessageRows[] = {
    {"role", &MessageFields::role},
    {"content", &MessageFields::content},
    {"thinking", &MessageFields::thinking},
    {"images", &MessageFields::images},
    {"tool_calls", &MessageFields::tool_calls},
    {"tool_name", &MessageFields::tool_name},
    {"tool_call_id", &MessageFields::tool_call_id},
};

ApiResult<ChatMessage> read_message(const Json& item, size_t index) {
  std::string at = fmt::format("messages[{}].", index);
  MessageFields fields;
  TRY(read_fields<MessageFields>(item, kMessageRows, fields, at));
  if (fields.images != nullptr && !fields.images->is_array())
    return refuse_kind(at + "images", "an array", *fields.images);
  if (fields.images != nullptr && !is_empty(*fields.images)) return refuse_unbuilt(at + "images");
  if (fields.tool_calls != nullptr && !is_empty(*fields.tool_calls))
    return refuse_unbuilt(at + "tool_calls");
  std::ranges::transform(fields.role, fields.role.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  if (fields.role == "tool")
    return refuse(at + "role", "{}role: the role \"tool\" is not supported yet", at);
  for (std::string_view known : {"system", "user", "assistant"})
    if (fields.role == known) return ChatMessage{fields.role, std::move(fields.content)};
  return refuse(at + "role", "{}role must be one of system, user, assistant and tool, not \"{}\"",
                at, fields.role);
}

ApiResult<void> take_messages(const Json* messages, GenerateRequest& out) {
  if (messages == nullptr) return {};
  if (!messages->is_array()) return refuse_kind("messages", "an array", *messages);
  for (const Json& item : messages->as_array())
    out.messages.push_back(TRY(read_message(item, out.messages.size())));
  // A last message of the assistant is what its answer begins with.
  out.continue_last = !out.messages.empty() && out.messages.back().role == "assistant";
  return {};
}

// One value of `options` as the text that Options::set takes.
ApiResult<std::string> option_text(const OptionRow& row, const Json& value) {
  auto wrong = [&](std::string_view wanted) {
    return refuse(row.name, "option \"{}\" must be of type {}", row.name, wanted);
  };
  switch (row.type) {
    case OptionType::kFlag:
      if (!value.is_bool()) return wrong("boolean");
      return std::string(value.as_bool() ? "true" : "false");
    case OptionType::kInt: {
      if (value.is_int()) return fmt::format("{}", value.as_int());
      // Fractions are cut off, as Ollama does: some clients know only floats.
      if (!value.is_double() || std::fabs(value.as_double()) > 9e15) return wrong("integer");
      return fmt::format("{}", static_cast<int64_t>(value.as_double()));
    }
    case OptionType::kFloat:
      if (!value.is_number()) return wrong("float32");
      return fmt::format("{}", value.as_double());
    case OptionType::kString:
    case OptionType::kChoice:
    case OptionType::kPath:
      if (!value.is_string()) return wrong("string");
      return value.as_string();
  }
  return wrong("another one");
}

ApiResult<void> set_option(const OptionRow& row, const Json& value, Options& out) {
  if (auto stored = out.set(row.name, TRY(option_text(row, value))); !stored)
    return refuse(row.name, std::move(stored).error());
  return {};
}

ApiResult<void> take_options(const Json* options, Options& out) {
  if (options == nullptr) return {};
  if (!options->is_object()) return refuse_kind("options", "an object", *options);
  TRY(check_lists(*options));
  for (const auto& [name, value] : options->as_object()) {
    const OptionRow* row = out.find_row(name);
    if (row == nullptr) {
      log_unknown("option", name);
      continue;
    }
    if (value.is_null()) continue;
    if (!row->many) {
      TRY(set_option(*row, value, out));
      continue;
    }
    if (!value.is_array())
      return refuse(name, "option \"{}\" must be of type array", name);
    for (const Json& item : value.as_array()) {
      if (!item.is_string())
        return refuse(name, "option \"{}\" must be of an array of strings", name);
      TRY(set_option(*row, item, out));
    }
  }
  // What an answer of Ollama's has no place for.
  if (out.given("n") && out.integer("n") != 1) return refuse("n", "n must be 1");
  if (out.given("prompt_logprobs") && out.integer("prompt_logprobs") >= 0)
    return refuse_unbuilt("prompt_logprobs");
  return {};
}

ApiResult<std::optional<bool>> read_think(const Json* value) {
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->as_bool();
  // Levels are for models that know them; for others they mean yes.
  if (value->is_string())
    for (std::string_view level : {"low", "medium", "high", "max"})
      if (value->as_string() == level) return true;
  return refuse("think",
                "invalid think value: {} (must be \"high\", \"medium\", \"low\", \"max\", true, or "
                "false)", value->dump().substr(0, 80));
}

ApiResult<void> take_logprobs(const Fields& fields, GenerateRequest& out) {
  int64_t top = 0;
  if (fields.top_logprobs != nullptr)
    top = TRY(whole_number("top_logprobs", *fields.top_logprobs, 0, 20));
  if (!fields.logprobs) return {};
  if (auto set = out.parameters.set("logprobs", fmt::format("{}", top)); !set)
    return refuse("top_logprobs", std::move(set).error());
  return {};
}

// "json" and schemas constrain the answer, which nothing does yet.
ApiResult<void> check_format(const Json* format) {
  if (format == nullptr || (format->is_string() && format->as_string().empty())) return {};
  if (format->is_object() || (format->is_string() && format->as_string() == "json"))
    return refuse_unbuilt("format");
  return refuse("format", "invalid format: {}; expected \"json\" or a valid JSON Schema object",
                format->dump().substr(0, 80));
}

// A full context slides unless the client says otherwise, or the model does and the client nothing.
ApiResult<void> take_shift(const Fields& fields, GenerateRequest& out) {
  out.defaults.overflow = "slide";
  if (!fields.shift) return {};
  if (auto set = out.parameters.set("overflow", *fields.shift ? "slide" : "error"); !set)
    return refuse("shift", std::move(set).error());
  return {};
}

// What both routes have.
ApiResult<void> take_common(const Fields& fields, GenerateRequest& out) {
  out.model = fields.model;
  out.stream = fields.stream;
  out.truncate = fields.truncate.value_or(true);
  out.parameters = Options(parameter_rows());
  out.defaults.seed = -1;  // each answer another one
  TRY(take_logprobs(fields, out));
  TRY(check_format(fields.format));
  for (auto [name, value] :
       {std::pair{"tools", fields.tools}, std::pair{"images", fields.images}}) {
    if (value == nullptr) continue;
    if (!value->is_array()) return refuse_kind(name, "an array", *value);
    if (!is_empty(*value)) return refuse_unbuilt(name);
  }
  if (fields.debug_render_only) return refuse_unbuilt("_debug_render_only");
  TRY(take_options(fields.options, out.parameters));
  TRY(take_shift(fields, out));
  out.think = TRY(read_think(fields.think));
  if (fields.keep_alive != nullptr)
    out.keep_alive = TRY(parse_ollama_keep_alive(*fields.keep_alive));
  if (fields.cache_pin != nullptr)  // not Ollama's, but ours
    out.cache_pin_s = TRY(whole_number("cache_pin", *fields.cache_pin, 0, kCachePinMax));
  return {};
}

// Nothing to answer: the model is only loaded, or let go.
void only_load(GenerateRequest& out) {
  bool go = out.keep_alive && !out.keep_alive->forever && out.keep_alive->seconds == 0;
  out.kind = go ? RequestKind::kUnload : RequestKind::kLoad;
  out.stream = false;
}

ApiResult<void> take_context(const Json* context, GenerateRequest& out) {
  if (context == nullptr) return {};
  if (!context->is_array()) return refuse_kind("context", "an array", *context);
  for (const Json& item : context->as_array())
    out.history.push_back(static_cast<TokenId>(
        TRY(whole_number("context", item, 0, std::numeric_limits<TokenId>::max()))));
  return {};
}

ApiResult<GenerateRequest> parse_generate(const Json& body) {
  Fields fields;
  TRY(read_fields<Fields>(body, kGenerateRows, fields));
  if (fields.model.empty()) return std::unexpected(ollama_model_not_found(""));
  GenerateRequest out;
  TRY(take_common(fields, out));
  TRY(take_context(fields.context, out));
  out.kind = RequestKind::kComplete;
  if (fields.prompt.empty()) only_load(out);
  if (out.kind == RequestKind::kUnload) return out;
  if (fields.raw)
    for (auto [name, given] : {std::pair{"template", !fields.template_text.empty()},
                               std::pair{"system", !fields.system.empty()},
                               std::pair{"context", !out.history.empty()}})
      if (given) return refuse(name, "raw mode does not support template, system, or context");
  if (out.kind == RequestKind::kLoad) return out;
  out.prompts.emplace_back(std::move(fields.prompt));
  out.templated = !fields.raw;
  // Go's clients send what was not set as empty texts.
  if (!fields.suffix.empty()) out.suffix = std::move(fields.suffix);
  if (!fields.system.empty()) out.system = std::move(fields.system);
  if (!fields.template_text.empty()) out.template_text = std::move(fields.template_text);
  return out;
}

ApiResult<GenerateRequest> parse_chat(const Json& body) {
  Fields fields;
  TRY(read_fields<Fields>(body, kChatRows, fields));
  if (fields.model.empty()) return std::unexpected(ollama_model_required());
  GenerateRequest out;
  TRY(take_common(fields, out));
  TRY(take_messages(fields.messages, out));
  out.kind = RequestKind::kChat;
  out.template_default = "{{ .Prompt }}";  // Ollama's own: the texts, one after the other
  if (out.messages.empty()) only_load(out);
  return out;
}

// Units of Go's durations, in seconds; "ms" comes before "m".
struct Unit {
  std::string_view name;
  double seconds;
};
constexpr Unit kUnits[] = {{"ns", 1e-9}, {"us", 1e-6}, {"\u00B5s", 1e-6}, {"\u03BCs", 1e-6},
                           {"ms", 1e-3}, {"s", 1},     {"m", 60},         {"h", 3600}};

// The sum of an unsigned Go duration; nothing where it is none.
std::optional<double> unsigned_duration(std::string_view text) {
  double sum = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    double value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value,
                                        std::chars_format::fixed);
    bool number = error == std::errc() && (text[0] == '.' || (text[0] >= '0' && text[0] <= '9'));
    if (!number) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    auto unit = std::ranges::find_if(
        kUnits, [&](const Unit& u) { return text.starts_with(u.name); });
    if (unit == std::end(kUnits)) return std::nullopt;
    sum += value * unit->seconds;
    text.remove_prefix(unit->name.size());
  }
  return sum;
}

std::optional<double> duration_seconds(std::string_view text) {
  if (auto number = parse_number(text)) return *number;
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  auto value = unsigned_duration(text);
  if (!value) return std::nullopt;
  return negative ? -*value : *value;
}

}  // namespace

ApiResult<KeepAlive> parse_ollama_keep_alive(const Json& value) {
  constexpr double kLongest = 9.2e9;  // 292 years: what Go's durations hold
  std::optional<double> seconds;
  if (value.is_number()) seconds = value.as_double();
  if (value.is_string()) seconds = duration_seconds(value.as_string());
  if (!seconds || std::isnan(*seconds))
    return refuse("keep_alive",
                  "keep_alive must be a number of seconds or a duration such as \"5m\", not {}",
                  value.dump().substr(0, 80));
  if (*seconds < 0 || *seconds >= kLongest) return KeepAlive{.seconds = 0, .forever = true};
  return KeepAlive{.seconds = *seconds};
}

ApiResult<Json> parse_ollama_body(std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return refuse("", "missing request body");
  auto json = Json::parse(body);
  if (!json && json.error().code == Code::kCorrupt) json.error().code = Code::kInvalid;
  if (!json) return refuse("", std::move(json).error());
  if (!json->is_object()) return refuse_kind("the request", "an object", *json);
  return std::move(*json);
}

ApiResult<GenerateRequest> parse_ollama_generate(const Json& body) {
  return catching_memory([&] { return parse_generate(body); });
}

ApiResult<GenerateRequest> parse_ollama_chat(const Json& body) {
  return catching_memory([&] { return parse_chat(body); });
}

}  // namespace hearth::api

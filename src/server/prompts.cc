#include "server/prompts.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/log.h"
#include "engine/infill.h"
#include "registry/parameters.h"

namespace hearth::server {
namespace {

using api::ApiError;
using api::ApiResult;
using api::GenerateRequest;

std::unexpected<ApiError> refuse(Error error, std::string param = {}, std::string code = {}) {
  return std::unexpected(ApiError{std::move(error), std::move(param), std::move(code)});
}

// The dialect's defaults, over them the model's parameters, over those the client's.
ApiResult<SamplingParams> sampling_of(const LoadedModel& model, const GenerateRequest& request) {
  SamplingParams out = request.defaults;
  auto own = parameters_from_json(model.resolved.params);
  if (!own) return refuse(own.error());
  if (auto applied = apply_sampling(*own, out); !applied) return refuse(applied.error());
  if (auto applied = apply_sampling(request.parameters, out); !applied)
    return refuse(applied.error());
  auto given = [](const Options& options, std::string_view name) {
    return options.find_row(name) != nullptr && options.given(name);
  };
  const bool seeded = given(*own, "seed") || given(request.parameters, "seed");
  if (!seeded || out.seed < 0) out.seed = std::random_device{}();
  return out;
}

// The conversation with what the model brings: its system text, unless the client has one, and the
// messages that it came with.
std::vector<ChatMessage> with_own_messages(const LoadedModel& model, const GenerateRequest& request,
                                           std::vector<ChatMessage> messages) {
  std::vector<ChatMessage> out;
  const bool has_system = !messages.empty() && messages.front().role == "system";
  const std::string& system = request.system ? *request.system : model.resolved.system;
  if (!has_system && !system.empty()) out.push_back({"system", system});
  if (has_system) out.push_back(std::move(messages.front()));
  if (request.history.empty())
    for (const SeedMessage& seed : model.resolved.messages)
      out.push_back({seed.role, seed.content});
  out.insert(out.end(), std::make_move_iterator(messages.begin() + (has_system ? 1 : 0)),
             std::make_move_iterator(messages.end()));
  return out;
}

ApiResult<std::vector<TokenId>> render(const ChatFormat& format, const LoadedModel& model,
                                       const GenerateRequest& request,
                                       const std::vector<ChatMessage>& messages, Prompts& out) {
  auto prompt = format.prompt(messages, *model.tokenizer,
                              {.think = request.think, .continue_last = request.continue_last});
  if (!prompt) return refuse(prompt.error(), "messages");
  out.thinking = prompt->thinking;
  return std::move(prompt->tokens);
}

ApiResult<ChatFormat> format_of(const LoadedModel& model, const GenerateRequest& request) {
  if (request.template_text && !request.template_text->empty()) {
    auto own = ChatFormat::compile_go(*request.template_text);
    if (!own) return refuse(own.error(), "template");
    return std::move(*own);
  }
  if (model.chat) return *model.chat;
  if (request.template_default.empty())
    return refuse(fail(Code::kUnsupported, "{} has no chat template; use completions instead",
                       request.model).error(), "messages");
  auto made = ChatFormat::compile_go(request.template_default);
  if (!made) return refuse(made.error(), "messages");
  return std::move(*made);
}

// The longest context that this request could have: the model's may be shorter at this time only
// because other models want memory too.
int64_t context_most(const LoadedModel& model, const Prompts& out) {
  return out.context < model.context ? out.context : model.context_most;
}

// Whether tokens that do not fit would in that.
bool fits_longest(const LoadedModel& model, const Prompts& out, int64_t tokens) {
  return tokens >= out.context && tokens < context_most(model, out);
}

// The messages without the oldest `count` of those that are no system text.
std::vector<ChatMessage> without_oldest(const std::vector<ChatMessage>& messages, int64_t count) {
  std::vector<ChatMessage> out;
  for (const ChatMessage& message : messages)
    if (message.role == "system" || count-- <= 0) out.push_back(message);
  return out;
}

// A chat that does not fit loses its oldest messages, but no system text and never the last one: as
// few as will do, found by halving, since each attempt reads all that is left.
ApiResult<std::vector<TokenId>> chat_tokens(const LoadedModel& model,
                                            const GenerateRequest& request, Prompts& out) {
  auto format = format_of(model, request);
  if (!format) return std::unexpected(format.error());
  const std::vector<ChatMessage> messages = with_own_messages(model, request, request.messages);
  auto fits = [&](const std::vector<TokenId>& tokens) {
    return static_cast<int64_t>(tokens.size()) < out.context;
  };
  auto best = render(*format, model, request, messages, out);
  if (!best || !request.truncate || fits(*best) || messages.empty() ||
      fits_longest(model, out, std::ssize(*best)))
    return best;
  int64_t most = std::ranges::count_if(messages.begin(), messages.end() - 1, [](const auto& m) {
    return m.role != "system";
  });
  auto without = [&](int64_t count) {
    return render(*format, model, request, without_oldest(messages, count), out);
  };
  int64_t least = 1;
  out.dropped_messages = most;
  best = without(most);
  while (best && fits(*best) && least < most) {
    int64_t count = least + (most - least) / 2;
    auto tokens = without(count);
    // Some templates want the user to speak first.
    if (!tokens && count + 1 < most) tokens = without(++count);
    if (tokens && fits(*tokens)) {
      out.dropped_messages = most = count;
      best = std::move(tokens);
    } else {
      least = count + 1;
    }
  }
  return best;
}

ApiResult<std::vector<TokenId>> text_tokens(const LoadedModel& model,
                                            const GenerateRequest& request,
                                            const std::string& text, SamplingParams& params,
                                            Prompts& out) {
  const Tokenizer& tokenizer = *model.tokenizer;
  if (request.suffix && !request.suffix->empty()) {
    auto marks = infill_tokens(tokenizer, model.model->file.metadata());
    if (!marks)
      return refuse(fail(Code::kInvalid, "{} does not support insert", request.model).error(),
                    "suffix");
    params.stop_token_ids.insert(params.stop_token_ids.end(), marks->ends.begin(),
                                 marks->ends.end());
    return infill_prompt(tokenizer, *marks, text, *request.suffix);
  }
  if (!request.templated || (!model.chat && !request.template_text))
    return tokenizer.encode(text, {});
  auto format = format_of(model, request);
  if (!format) return std::unexpected(format.error());
  auto tokens = render(*format, model, request,
                       with_own_messages(model, request, {{"user", text}}), out);
  if (!tokens || request.history.empty()) return tokens;
  std::vector<TokenId> all = request.history;
  all.insert(all.end(), tokens->begin(), tokens->end());
  return all;
}

// The lengths, in the words that clients look for.
ApiResult<void> check_length(const std::vector<TokenId>& tokens, const Prompts& out, int64_t most,
                             const SamplingParams& params, std::string_view field) {
  const auto size = static_cast<int64_t>(tokens.size());
  if (params.overflow == "slide" || size < out.context) return {};
  return refuse(fail(Code::kTooLarge,
                     "This model's maximum context length is {} tokens. However, your request has "
                     "{} input tokens. Please reduce the length of the input", most, size)
                    .error(), std::string(field), "context_length_exceeded");
}

}  // namespace

ApiResult<Prompts> make_prompts(const LoadedModel& model, const GenerateRequest& request) {
  Prompts out{.context = model.context};
  auto params = sampling_of(model, request);
  if (!params) return std::unexpected(params.error());
  const Options& given = request.parameters;
  if (given.find_row("num_ctx") != nullptr && given.given("num_ctx"))
    out.context = std::min(out.context, given.integer("num_ctx"));
  const bool chat = request.kind == api::RequestKind::kChat;
  auto add = [&](ApiResult<std::vector<TokenId>> tokens) -> ApiResult<void> {
    if (!tokens) return std::unexpected(tokens.error());
    out.wants_longest = out.wants_longest || fits_longest(model, out, std::ssize(*tokens));
    if (out.wants_longest) return {};
    const std::string_view field = chat ? "messages" : "prompt";
    if (auto fits = check_length(*tokens, out, context_most(model, out), *params, field); !fits)
      return fits;
    out.tokens.push_back(std::move(*tokens));
    return {};
  };
  if (chat)
    if (auto added = add(chat_tokens(model, request, out)); !added)
      return std::unexpected(added.error());
  for (const api::PromptInput& input : request.prompts) {
    const std::string* text = std::get_if<std::string>(&input);
    auto added = text != nullptr ? add(text_tokens(model, request, *text, *params, out))
                                 : add(std::get<std::vector<TokenId>>(input));
    if (!added) return std::unexpected(added.error());
  }
  if (out.wants_longest) return out;
  auto plan = SamplerPlan::create(*params, model.tokenizer.get());
  if (!plan) return refuse(plan.error());
  out.plan = std::move(*plan);
  if (out.dropped_messages > 0)
    log(LogLevel::kWarn, "a chat with {} was too long for its context of {} tokens: its oldest {} "
                         "messages were left out", request.model, out.context,
        out.dropped_messages);
  return out;
}

}  // namespace hearth::server

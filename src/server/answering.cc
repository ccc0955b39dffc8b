#include "server/answering.h"

#include <fmt/format.h>

#include <chrono>

#include "server/answer_stream.h"
#include "server/offload.h"
#include "server/prompts.h"

namespace hearth::server {
namespace {

std::vector<Header> headers_of(const api::ApiError& error) {
  if (error.retry_after_s <= 0) return {};
  return {{"Retry-After", fmt::format("{}", error.retry_after_s)}};
}

// Who shares computed prefixes with whom: a tenant with itself, and within it by what it asks. What
// is kept is the tenant's, whatever it asks.
PrefixSalt salt_of(const Request& request, const api::GenerateRequest& asked) {
  const uint64_t own = std::hash<std::string>()(asked.cache_salt) * 0x9e3779b97f4a7c15u;
  return request.tenant ^ (own / kPrefixOwners * kPrefixOwners);
}

uint64_t conversation_of(const api::GenerateRequest& asked) {
  const std::string& name = !asked.user.empty() ? asked.user : asked.cache_salt;
  return name.empty() ? 0 : std::hash<std::string>()(name);
}

// gcc 12 destroys temporaries of an awaiting expression twice where there is a condition in it;
// what is awaited here is made of named values.

// The engine's own error, with what a client should know besides.
api::ApiError engine_error(const Error& error, const LoadedModel& model) {
  api::ApiError out{error};
  if (error.code == Code::kBusy) out.retry_after_s = ServingEngine::retry_after(*model.serving);
  if (error.code == Code::kTooLarge) out.code = "context_length_exceeded";
  return out;
}

// What those are told whose answers the end of the server cuts off.
api::ApiError stopping() {
  return {fail(Code::kBusy, "the server is being stopped; try again later").error(), "", "", 1};
}

// Whether the model's template knows of reasoning.
bool thinks(const LoadedModel& model) {
  const std::string& own = model.resolved.template_text;
  const std::string& text = own.empty() ? model.model->chat_template : own;
  return text.find("think") != std::string::npos || text.find("Think") != std::string::npos;
}

// One request of the engine for each prompt.
std::optional<api::ApiError> submit(AnswerStream& stream, EventReceiver& receiver, App& app,
                                    const Request& http, const api::GenerateRequest& request,
                                    const LoadedModel& model, Prompts& prompts) {
  const auto deadline = std::chrono::steady_clock::now() + app.options().queue_time;
  for (std::vector<TokenId>& prompt : prompts.tokens) {
    auto id = app.engine().submit(model.serving,
                                  {.prompt = prompt, .plan = prompts.plan,
                                   .context = prompts.context, .tenant = http.tenant,
                                   .conversation = conversation_of(request),
                                   .salt = salt_of(http, request), .priority = request.priority,
                                   .pin = std::chrono::seconds(request.cache_pin_s),
                                   .streams = request.stream, .deadline = deadline},
                                  app.bridge().sink(receiver));
    if (!id) return engine_error(id.error(), model);
    stream.add(*id, prompt, prompts.thinking);
  }
  return std::nullopt;
}

// What the log and the counters are told at the end.
void account(Exchange& exchange, App& app, const LoadedModel& model, const AnswerStream& stream,
             const api::Usage& usage) {
  const std::string& name = model.resolved.display_name;
  Metrics& metrics = app.metrics();
  metrics.add(Metric::kPromptTokens, name, static_cast<double>(usage.prompt_tokens));
  metrics.add(Metric::kCachedTokens, name, static_cast<double>(usage.cached_tokens));
  metrics.add(Metric::kGeneratedTokens, name, static_cast<double>(usage.generated_tokens));
  metrics.add(Metric::kRequestsDone, name, 1, stream.finish_word());
  metrics.observe(Metric::kRequestTime, name, static_cast<double>(usage.total_ns) * 1e-9);
  exchange.note("model", name);
  exchange.note("prompt_tokens", fmt::format("{}", usage.prompt_tokens));
  exchange.note("cached_tokens", fmt::format("{}", usage.cached_tokens));
  if (usage.pinned_tokens > 0)
    exchange.note("pinned_tokens", fmt::format("{}", usage.pinned_tokens));
  exchange.note("generated_tokens", fmt::format("{}", usage.generated_tokens));
}

// Until the end of all that runs; of a stream all but the end is sent. False where an error was the
// whole answer.
Task<bool> run_stream(Exchange& exchange, const Voice& voice, const api::GenerateRequest& request,
                      AnswerStream& stream, api::AnswerWriter& writer) {
  co_await stream.wait();
  while (!request.stream && !stream.ended()) co_await stream.wait();
  if (stream.error() && !stream.told_anything()) {
    while (!stream.ended()) co_await stream.wait();
    co_await reply_error(exchange, voice, *stream.error());
    co_return false;
  }
  if (!request.stream) co_return true;
  std::string begin;
  writer.begin(begin);
  auto begun = co_await exchange.begin_stream(writer.stream_type());
  if (begun && exchange.push(begin)) stream.open();
  else stream.cancel();
  while (!stream.ended()) co_await stream.wait();
  co_return true;
}

// What an answer begins with.
struct Prepared {
  std::optional<ModelHub::Lease> lease;
  int64_t loaded_ns = 0;  // when the model was there
  Prompts prompts;
};

// `longest`: the model with the longest context that it can have.
Task<api::ApiResult<Prepared>> prepare(Exchange& exchange, App& app,
                                       const api::GenerateRequest& request, const Voice& voice,
                                       bool longest) {
  auto lease = co_await app.hub().acquire(request.model, request.keep_alive, longest);
  if (!lease) co_return std::unexpected(load_error(lease.error(), voice, request.model));
  Prepared out{.lease = std::move(*lease), .loaded_ns = now_ns(), .prompts = {}};
  const LoadedModel& model = **out.lease;
  if (voice.refuses_think && request.think.value_or(false) && !thinks(model))
    co_return std::unexpected(api::ApiError{
        fail(Code::kInvalid, "\"{}\" does not support thinking", request.model).error(), "think"});
  std::optional<api::ApiResult<Prompts>> made;
  auto make = [&] { made = make_prompts(model, request); };
  co_await offload_long(exchange.request().body.size(), make);
  if (!*made) co_return std::unexpected(made->error());
  out.prompts = std::move(**made);
  co_return out;
}

Task<void> load_or_unload(Exchange& exchange, App& app, const api::GenerateRequest& request,
                          const Voice& voice, api::AnswerInfo info) {
  if (request.kind == api::RequestKind::kUnload) {
    auto look = [&] { return resolve_model(app.store(), request.model).has_value(); };
    const bool found = co_await offload(look);
    if (!found) {
      const api::ApiError error = voice.no_model(request.model);
      co_return co_await reply_error(exchange, voice, error);
    }
    (void)app.hub().unload(request.model);  // one that is not there is where it should be
  } else {
    auto lease = co_await app.hub().acquire(request.model, request.keep_alive);
    if (!lease) {
      const api::ApiError error = load_error(lease.error(), voice, request.model);
      co_return co_await reply_error(exchange, voice, error);
    }
  }
  std::string body;
  const api::AnswerEnd end{.now_ns = now_ns(), .usage = {}, .context = {}, .kind = request.kind};
  voice.writer(request, std::move(info))->whole({}, end, body);
  co_await exchange.reply(200, kJsonType, std::move(body));
}

}  // namespace

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch()).count();
}

Task<void> reply_error(Exchange& exchange, const Voice& voice, const api::ApiError& error) {
  api::ApiReply reply = voice.error(error);
  return exchange.reply(reply.status, kJsonType, std::move(reply.body), headers_of(error));
}

api::ApiError load_error(const Error& error, const Voice& voice, std::string_view model) {
  if (error.code == Code::kNotFound) return voice.no_model(model);
  return {error};
}

Task<void> answer(Exchange& exchange, App& app, api::GenerateRequest request, const Voice& voice) {
  api::AnswerInfo info{.id = exchange.request().id, .created_ns = now_ns(),
                       .model = request.model, .tokenizer = nullptr};
  const int64_t begun = info.created_ns;
  if (request.kind == api::RequestKind::kLoad || request.kind == api::RequestKind::kUnload)
    co_return co_await load_or_unload(exchange, app, request, voice, std::move(info));
  api::ApiResult<Prepared> prepared = co_await prepare(exchange, app, request, voice, false);
  if (prepared && prepared->prompts.wants_longest) {
    prepared->lease.reset();  // it makes way for the longer one
    prepared = co_await prepare(exchange, app, request, voice, true);
  }
  if (!prepared) co_return co_await reply_error(exchange, voice, prepared.error());
  const int64_t loaded = prepared->loaded_ns;
  Prompts& prompts = prepared->prompts;
  const ModelHub::Lease& lease = *prepared->lease;
  const LoadedModel& model = *lease;
  info.tokenizer = model.tokenizer;

  std::unique_ptr<api::AnswerWriter> writer = voice.writer(request, std::move(info));
  const SamplingParams& params = prompts.plan->params;
  AnswerStream stream(exchange, app, request, *writer, model, params.n);
  auto refused = submit(stream, stream, app, exchange.request(), request, model, prompts);
  if (refused) stream.cancel();
  else exchange.on_gone([&stream] { stream.cancel(); });
  if (refused) {
    while (!stream.ended()) co_await stream.wait();
    co_return co_await reply_error(exchange, voice, *refused);
  }
  const bool answers = co_await run_stream(exchange, voice, request, stream, *writer);
  if (!answers) co_return;
  std::optional<api::ApiError> failed = stream.error();
  if (stream.cancelled() && !exchange.gone()) failed = stopping();

  api::AnswerEnd end{.now_ns = now_ns(), .usage = stream.usage(), .context = {},
                     .kind = request.kind};
  end.usage.total_ns = end.now_ns - begun;
  end.usage.load_ns = lease.was_loaded() ? loaded - begun : 0;
  if (request.templated) end.context = stream.context();
  account(exchange, app, model, stream, end.usage);
  std::string out;
  if (request.stream) {
    if (failed) writer->error(*failed, out);
    else writer->end(end, out);
    exchange.push(out);
    co_return co_await exchange.end_stream();
  }
  if (failed) co_return co_await reply_error(exchange, voice, *failed);
  writer->whole(stream.take_choices(), end, out);
  co_await exchange.reply(200, kJsonType, std::move(out));
}

}  // namespace hearth::server

// The routes that tell about models and change the store, and those about the server itself.
#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <mutex>

#include "api/ollama.h"
#include "api/openai.h"
#include "server/app.h"
#include "server/handlers.h"
#include "server/json_body.h"
#include "server/offload.h"

namespace hearth::server {
namespace {

constexpr std::string_view kTextType = "text/plain; charset=utf-8";
constexpr std::string_view kLinesType = "application/x-ndjson";
// The release of Ollama whose API is spoken: clients compare it with what they need.
constexpr std::string_view kOllamaVersion = "0.18.3";
constexpr std::chrono::milliseconds kLinesPause{20};

App& app_of(void* context) { return *static_cast<App*>(context); }

Task<void> send(Exchange& exchange, api::ApiReply reply) {
  return exchange.reply(reply.status, reply.body.empty() ? kTextType : kJsonType,
                        std::move(reply.body));
}

Task<void> send_error(Exchange& exchange, const api::ApiError& error) {
  return send(exchange, api::ollama_error(error));
}

std::vector<api::ModelEntry> model_entries(const Store& store) {
  std::vector<api::ModelEntry> out;
  auto models = store.list();
  if (!models) return out;
  for (const StoredModel& model : *models) {
    api::ModelEntry& entry = out.emplace_back(
        api::ModelEntry{.id = model.name.display(), .created_s = model.modified});
    if (auto details = api::ollama_details(store, model.manifest))
      entry.context_max = details->context_length;
  }
  return out;
}

std::vector<api::PsEntry> ps_entries(const Store& store, std::span<const RunningModel> running) {
  std::vector<api::PsEntry> out;
  for (const RunningModel& model : running) {
    const ResolvedModel& resolved = model.loaded->resolved;
    const uint64_t bytes =
        model.loaded->weight_bytes +
        static_cast<uint64_t>(ServingEngine::cache_bytes(*model.loaded->serving));
    api::PsEntry& entry = out.emplace_back(api::PsEntry{
        .name = resolved.display_name, .digest = resolved.digest, .size = bytes,
        .size_vram = 0, .details = {}, .expires_ns = {},
        .context_length = model.loaded->context});
    if (model.expires)
      entry.expires_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                             model.expires->time_since_epoch()).count();
    auto name = ModelName::parse(resolved.display_name);
    auto stored = name ? store.read(*name) : Result<StoredModel>(std::unexpected(name.error()));
    if (!stored) continue;
    if (auto details = api::ollama_details(store, stored->manifest))
      entry.details = std::move(*details);
  }
  return out;
}

std::optional<ModelName> find_stored(const Store& store, const std::string& name) {
  auto parsed = ModelName::parse(name);
  return parsed ? store.find(*parsed) : std::nullopt;
}

// Models that are neither in memory nor in the store are told of no more. Whoever removed them need
// not have asked this server, and answers that still ran then have told of theirs since: so the
// store is asked whenever somebody reads.
Task<void> forget_removed(App& app) {
  std::vector<std::string> gone = app.metrics().models();
  auto look = [&] {
    std::erase_if(gone, [&](auto& name) { return find_stored(app.store(), name).has_value(); });
  };
  co_await offload(look);
  const std::vector<RunningModel> running = app.hub().running();
  for (const std::string& name : gone) {
    auto has_name = [&](auto& model) { return model.loaded->resolved.display_name == name; };
    if (std::ranges::none_of(running, has_name)) app.forget_metrics(name);
  }
}

// What changed a model: the loaded one goes, and lists are made anew.
void changed(App& app, const std::string& name) {
  app.tags().invalidate();
  if (!name.empty()) app.hub().forget(name);
}

template <api::ApiReply (*kDo)(const Store&, const Json&)>
Task<void> change(Exchange& exchange, App& app) {
  std::string model;
  auto work = [&] {
    auto body = api::parse_ollama_body(exchange.request().body);
    if (!body) return api::ollama_error(body.error());
    model = api::ollama_model_of(*body);
    return kDo(app.store(), *body);
  };
  api::ApiReply reply = co_await offload(work);
  if (reply.status == 200) changed(app, model);
  co_await send(exchange, std::move(reply));
}

// The lines that a worker makes, until it is through.
struct Lines {
  std::mutex mutex;
  std::deque<std::string> lines;
  std::optional<api::ApiReply> reply;
};

// Sends what there is; false when the client is gone.
Task<bool> send_lines(Exchange& exchange, Lines& lines, bool& begun) {
  std::string out;
  {
    std::lock_guard lock(lines.mutex);
    for (const std::string& line : lines.lines) out += line + "\n";
    lines.lines.clear();
  }
  if (out.empty()) co_return true;
  if (!begun && !co_await exchange.begin_stream(kLinesType)) co_return false;
  begun = true;
  co_return exchange.push(out);
}

}  // namespace

Task<void> handle_root(Exchange& exchange, void*) {
  return exchange.reply(200, kTextType, "Ollama is running");
}

Task<void> handle_health(Exchange& exchange, void*) {
  return exchange.reply(200, kJsonType, R"({"status":"ok"})");
}

Task<void> handle_ready(Exchange& exchange, void* context) {
  const bool ends = app_of(context).http().draining();
  return exchange.reply(ends ? 503 : 200, kJsonType,
                        ends ? R"({"status":"draining"})" : R"({"status":"ok"})");
}

Task<void> handle_metrics(Exchange& exchange, void* context) {
  App& app = app_of(context);
  co_await forget_removed(app);
  app.metrics().clear_gauges();  // of models that were unloaded
  for (const RunningModel& model : app.hub().running()) {
    const std::string& name = model.loaded->resolved.display_name;
    const ServingStatus status = ServingEngine::status(*model.loaded->serving);
    app.metrics().set(Metric::kRequestsRunning, name, static_cast<double>(status.running));
    app.metrics().set(Metric::kRequestsWaiting, name, static_cast<double>(status.waiting));
    app.metrics().set(Metric::kCacheUsage, name,
                      static_cast<double>(status.cache_blocks_used) /
                          static_cast<double>(std::max<int64_t>(1, status.cache_blocks)));
    app.metrics().set(Metric::kCachePinned, name, static_cast<double>(status.cache_blocks_pinned));
    if (const int64_t more = app.new_preemptions(name, status.preemptions); more > 0)
      app.metrics().add(Metric::kPreemptions, name, static_cast<double>(more));
  }
  std::string text = app.metrics().render();
  co_await exchange.reply(200, Metrics::kContentType, std::move(text));
}

Task<void> handle_models(Exchange& exchange, void* context) {
  App& app = app_of(context);
  auto work = [&] { return api::openai_models(model_entries(app.store())); };
  std::string body = co_await offload(work);
  co_await exchange.reply(200, kJsonType, std::move(body));
}

Task<void> handle_model(Exchange& exchange, void* context) {
  App& app = app_of(context);
  const std::string name = exchange.request().rest;
  auto look = [&]() -> std::optional<api::ModelEntry> {
    auto stored = find_stored(app.store(), name);
    if (!stored) return std::nullopt;
    for (api::ModelEntry& entry : model_entries(app.store()))
      if (entry.id == stored->display()) return std::move(entry);
    return std::nullopt;
  };
  auto found = co_await offload(look);
  api::ApiReply reply =
      found ? api::ApiReply{200, api::openai_model(*found)}
            : api::openai_error(
                  {fail(Code::kNotFound, "The model `{}` does not exist", name).error(), "model",
                   "model_not_found"});
  co_await send(exchange, std::move(reply));
}

Task<void> handle_version(Exchange& exchange, void*) {
  return exchange.reply(200, kJsonType, api::ollama_version(kOllamaVersion, HEARTH_VERSION));
}

Task<void> handle_tags(Exchange& exchange, void* context) {
  const api::ApiReply& reply = app_of(context).tags().reply();
  return exchange.reply(reply.status, kJsonType, reply.body);
}

Task<void> handle_ps(Exchange& exchange, void* context) {
  App& app = app_of(context);
  const std::vector<RunningModel> running = app.hub().running();
  auto work = [&] { return api::ollama_ps(ps_entries(app.store(), running)); };
  std::string body = co_await offload(work);
  co_await exchange.reply(200, kJsonType, std::move(body));
}

Task<void> handle_show(Exchange& exchange, void* context) {
  App& app = app_of(context);
  auto work = [&] {
    auto body = api::parse_ollama_body(exchange.request().body);
    return body ? api::ollama_show(app.store(), *body) : api::ollama_error(body.error());
  };
  api::ApiReply reply = co_await offload(work);
  co_await send(exchange, std::move(reply));
}

Task<void> handle_copy(Exchange& exchange, void* context) {
  return change<&api::ollama_copy>(exchange, app_of(context));
}

Task<void> handle_delete(Exchange& exchange, void* context) {
  return change<&api::ollama_remove>(exchange, app_of(context));
}

Task<void> handle_blob_exists(Exchange& exchange, void* context) {
  App& app = app_of(context);
  const std::string digest = exchange.request().rest;
  auto work = [&] { return api::ollama_blob_exists(app.store(), digest); };
  api::ApiReply reply = co_await offload(work);
  co_await send(exchange, std::move(reply));
}

Task<void> handle_blob_upload(Exchange& exchange, void* context) {
  App& app = app_of(context);
  const std::string digest = exchange.request().rest;
  auto start = [&] { return api::BlobUpload::begin(app.store(), digest); };
  auto upload = co_await offload(start);
  if (!upload) co_return co_await send(exchange, std::move(upload.error()));
  while (true) {
    auto piece = co_await exchange.read_body();
    if (!piece) {
      const api::ApiError error{piece.error()};
      co_return co_await send_error(exchange, error);
    }
    if (piece->empty()) break;
    auto write = [&] { return upload->write(*piece); };
    auto written = co_await offload(write);
    if (!written) co_return co_await send(exchange, std::move(written.error()));
  }
  auto finish = [&] { return upload->finish(); };
  api::ApiReply reply = co_await offload(finish);
  co_await send(exchange, std::move(reply));
}

Task<void> handle_create(Exchange& exchange, void* context) {
  App& app = app_of(context);
  auto body = co_await parsed_body(exchange, &api::parse_ollama_body);
  if (!body) co_return co_await send_error(exchange, body.error());
  auto lines = std::make_shared<Lines>();
  const bool streams = api::ollama_streams(*body);
  const std::string model = api::ollama_model_of(*body);
  asio::any_io_executor here = co_await asio::this_coro::executor;
  auto& workers = asio::use_service<Workers>(asio::query(here, asio::execution::context));
  asio::post(workers.pool(), [lines, streams, store = app.store(), body = std::move(*body)] {
    api::ApiReply reply = api::ollama_create(store, body, [&](std::string line) {
      std::lock_guard lock(lines->mutex);
      if (streams) lines->lines.push_back(std::move(line));
    });
    std::lock_guard lock(lines->mutex);
    lines->reply = std::move(reply);
  });
  bool begun = false, there = true;
  asio::steady_timer pause(here);
  while (true) {
    pause.expires_after(kLinesPause);
    co_await pause.async_wait(asio::use_awaitable);
    if (there) there = co_await send_lines(exchange, *lines, begun);
    std::lock_guard lock(lines->mutex);
    if (lines->reply && lines->lines.empty()) break;
    if (!there) lines->lines.clear();
  }
  changed(app, model);
  if (!begun) co_return co_await send(exchange, std::move(*lines->reply));
  exchange.push(lines->reply->body + "\n");
  co_await exchange.end_stream();
}

}  // namespace hearth::server

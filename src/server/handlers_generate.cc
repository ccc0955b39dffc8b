// The routes that make a model speak, and those of its tokens.
#include <fmt/format.h>

#include "api/ollama.h"
#include "api/openai.h"
#include "server/answering.h"
#include "server/handlers.h"
#include "server/json_body.h"

namespace hearth::server {
namespace {

using api::ApiError;
using api::ApiResult;
using api::GenerateRequest;

ApiError openai_no_model(std::string_view name) {
  return {fail(Code::kNotFound, "The model `{}` does not exist", name).error(), "model",
          "model_not_found"};
}

constexpr Voice kOpenAiChat{&api::openai_chat_writer, &api::openai_error, &openai_no_model};
constexpr Voice kOpenAiText{&api::openai_completion_writer, &api::openai_error, &openai_no_model};
constexpr Voice kOllamaChat{&api::ollama_chat_writer, &api::ollama_error,
                            &api::ollama_model_not_found, true};
constexpr Voice kOllamaText{&api::ollama_generate_writer, &api::ollama_error,
                            &api::ollama_model_not_found, true};

ApiResult<Json> openai_body(const std::string& body) {
  if (body.empty())
    return std::unexpected(ApiError{fail(Code::kInvalid, "the body is empty").error()});
  auto json = Json::parse(body);
  if (!json)
    return std::unexpected(ApiError{
        fail(Code::kInvalid, "the body is no JSON: {}", json.error().message).error()});
  return std::move(*json);
}

ApiResult<Json> ollama_body(const std::string& body) { return api::parse_ollama_body(body); }

// The whole way from a body to a request, so that its JSON is gone at the end.
template <class T, ApiResult<Json> (*kBody)(const std::string&),
          ApiResult<T> (*kParse)(const Json&)>
ApiResult<T> parse_request(const std::string& body) {
  auto json = kBody(body);
  if (!json) return std::unexpected(std::move(json.error()));
  return kParse(*json);
}

template <ApiResult<Json> (*kBody)(const std::string&),
          ApiResult<GenerateRequest> (*kParse)(const Json&), const Voice& kVoice>
Task<void> generate(Exchange& exchange, void* context) {
  auto request = co_await parsed_body(exchange, &parse_request<GenerateRequest, kBody, kParse>);
  if (!request) {
    co_await reply_error(exchange, kVoice, request.error());
    co_return;
  }
  co_await answer(exchange, *static_cast<App*>(context), std::move(*request), kVoice);
}

// The lease on a model, or its error told.
Task<std::optional<ModelHub::Lease>> lease_or_tell(Exchange& exchange, App& app,
                                                   const std::string& name) {
  auto lease = co_await app.hub().acquire(name, std::nullopt);
  if (lease) co_return std::move(*lease);
  const ApiError error = load_error(lease.error(), kOpenAiText, name);
  co_await reply_error(exchange, kOpenAiText, error);
  co_return std::nullopt;
}

ApiResult<std::vector<TokenId>> render_messages(const api::TokenizeRequest& request,
                                                const LoadedModel& model) {
  auto prompt = model.chat ? model.chat->prompt(request.messages, *model.tokenizer,
                                                {.think = request.think,
                                                 .continue_last = request.continue_last})
                           : Result<ChatPrompt>(fail(Code::kInvalid, "{} has no chat template",
                                                     request.model));
  if (!prompt) return std::unexpected(ApiError{prompt.error(), "messages"});
  return std::move(prompt->tokens);
}

}  // namespace

Task<void> handle_openai_chat(Exchange& exchange, void* context) {
  return generate<&openai_body, &api::parse_openai_chat, kOpenAiChat>(exchange, context);
}
Task<void> handle_openai_completion(Exchange& exchange, void* context) {
  return generate<&openai_body, &api::parse_openai_completion, kOpenAiText>(exchange, context);
}
Task<void> handle_ollama_generate(Exchange& exchange, void* context) {
  return generate<&ollama_body, &api::parse_ollama_generate, kOllamaText>(exchange, context);
}
Task<void> handle_ollama_chat(Exchange& exchange, void* context) {
  return generate<&ollama_body, &api::parse_ollama_chat, kOllamaChat>(exchange, context);
}

Task<void> handle_tokenize(Exchange& exchange, void* context) {
  App& app = *static_cast<App*>(context);
  auto parse = &parse_request<api::TokenizeRequest, &openai_body, &api::parse_tokenize>;
  auto request = co_await parsed_body(exchange, parse);
  if (!request) co_return co_await reply_error(exchange, kOpenAiText, request.error());
  auto lease = co_await lease_or_tell(exchange, app, request->model);
  if (!lease) co_return;
  const LoadedModel& model = **lease;
  auto work = [&]() -> ApiResult<std::string> {
    auto tokens = request->text ? ApiResult<std::vector<TokenId>>(
                                      api::tokenize(*request, *model.tokenizer))
                                : render_messages(*request, model);
    if (!tokens) return std::unexpected(std::move(tokens.error()));
    return api::write_tokenized(*request, *tokens, *model.tokenizer, model.context);
  };
  auto text = co_await offload(work);
  if (!text) co_return co_await reply_error(exchange, kOpenAiText, text.error());
  co_await exchange.reply(200, kJsonType, std::move(*text));
}

Task<void> handle_detokenize(Exchange& exchange, void* context) {
  App& app = *static_cast<App*>(context);
  auto parse = &parse_request<api::DetokenizeRequest, &openai_body, &api::parse_detokenize>;
  auto request = co_await parsed_body(exchange, parse);
  if (!request) co_return co_await reply_error(exchange, kOpenAiText, request.error());
  auto lease = co_await lease_or_tell(exchange, app, request->model);
  if (!lease) co_return;
  const LoadedModel& model = **lease;
  auto work = [&] { return api::detokenize(*request, *model.tokenizer); };
  auto text = co_await offload_long(exchange.request().body.size(), work);
  if (!text) co_return co_await reply_error(exchange, kOpenAiText, text.error());
  co_await exchange.reply(200, kJsonType, std::move(*text));
}

}  // namespace hearth::server

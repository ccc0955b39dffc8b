#include "server/app.h"
#include "server/handlers.h"

namespace hearth::server {
namespace {

constexpr uint64_t kPromptBytes = 100u << 20, kSmallBytes = 1u << 20;
constexpr uint64_t kBlobBytes = uint64_t{1} << 42;

constexpr auto kOllama = Dialect::kOllama;
constexpr auto kOpenAi = Dialect::kOpenAi;
constexpr auto kPlain = Dialect::kPlain;
constexpr auto kPublic = Scope::kPublic;
constexpr auto kUse = Scope::kUse;
constexpr auto kNone = BodyMode::kNone;
constexpr auto kWhole = BodyMode::kWhole;

constexpr Route kRoutes[] = {
    {"GET", "/", &handle_root, kOllama, kPublic, kNone, kSmallBytes, false, "that it is there"},
    {"GET", "/health", &handle_health, kPlain, kPublic, kNone, kSmallBytes, false,
     "200 while the process answers"},
    {"GET", "/ready", &handle_ready, kPlain, kPublic, kNone, kSmallBytes, false,
     "200 while requests are taken, 503 while the server ends"},
    {"GET", "/metrics", &handle_metrics, kPlain, kUse, kNone, kSmallBytes, false,
     "counters in Prometheus' format"},

    {"GET", "/v1/models", &handle_models, kOpenAi, kUse, kNone, kSmallBytes, true,
     "the models of the store"},
    {"GET", "/v1/models/{model}", &handle_model, kOpenAi, kUse, kNone, kSmallBytes, true,
     "one of them"},
    {"POST", "/v1/chat/completions", &handle_openai_chat, kOpenAi, kUse, kWhole, kPromptBytes, true,
     "the answer to a conversation"},
    {"POST", "/v1/completions", &handle_openai_completion, kOpenAi, kUse, kWhole, kPromptBytes,
     true, "what follows a text or tokens"},
    {"POST", "/tokenize", &handle_tokenize, kOpenAi, kUse, kWhole, kPromptBytes, true,
     "a text as tokens"},
    {"POST", "/detokenize", &handle_detokenize, kOpenAi, kUse, kWhole, kPromptBytes, true,
     "tokens as a text"},

    {"GET", "/api/version", &handle_version, kOllama, kUse, kNone, kSmallBytes, true,
     "the version of Ollama's API that is spoken"},
    {"GET", "/api/tags", &handle_tags, kOllama, kUse, kNone, kSmallBytes, true,
     "the models of the store"},
    {"GET", "/api/ps", &handle_ps, kOllama, kUse, kNone, kSmallBytes, true,
     "the models in memory"},
    {"POST", "/api/show", &handle_show, kOllama, kUse, kWhole, kSmallBytes, true,
     "all about a model"},
    {"POST", "/api/generate", &handle_ollama_generate, kOllama, kUse, kWhole, kPromptBytes, true,
     "what follows a prompt; loads and unloads models"},
    {"POST", "/api/chat", &handle_ollama_chat, kOllama, kUse, kWhole, kPromptBytes, true,
     "the answer to a conversation"},
    {"POST", "/api/create", &handle_create, kOllama, kUse, kWhole, kPromptBytes, true,
     "a model from files and others"},
    {"POST", "/api/copy", &handle_copy, kOllama, kUse, kWhole, kSmallBytes, true,
     "a model under another name"},
    {"DELETE", "/api/delete", &handle_delete, kOllama, kUse, kWhole, kSmallBytes, true,
     "removes a model"},
    {"GET", "/api/blobs/{digest}", &handle_blob_exists, kOllama, kUse, kNone, kSmallBytes, true,
     "whether a blob is there"},
    {"POST", "/api/blobs/{digest}", &handle_blob_upload, kOllama, kUse, BodyMode::kPieces,
     kBlobBytes, true, "stores a blob"},
};

}  // namespace

std::span<const Route> route_table() { return kRoutes; }

}  // namespace hearth::server

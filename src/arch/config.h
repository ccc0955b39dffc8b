// Config: the hyper-parameters of a decoder model in one struct, whatever file they came from.
// Read through the rows of its architecture; every value is checked there (positive, within caps,
// heads divide), so that code after loading may trust it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/rope.h"

namespace hearth {

struct Config {
  int64_t vocab = 0;
  int64_t context = 0;      // longest sequence it was made for
  int64_t embd = 0;         // width of the residual stream
  int64_t layers = 0;
  int64_t ffn = 0;          // inner width of the feed-forward part
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  double norm_eps = 0;

  RopeConfig rope;          // of layers that see everything
  RopeConfig rope_local;    // of windowed layers, where they have their own

  int64_t window = 0;           // positions that windowed layers see; 0: there are none
  int64_t window_pattern = 0;   // every n-th layer sees everything; 0 or 1: see the architecture
  std::vector<bool> windowed;   // per layer

  double query_scalar = 0;      // scores are divided by its root
  double attn_softcap = 0, final_softcap = 0;
  double embd_scale = 1;
  bool tied = false;            // the output head is the embedding

  int64_t q_width() const { return heads * head_dim; }
  int64_t kv_width() const { return kv_heads * head_dim; }
};

}  // namespace hearth

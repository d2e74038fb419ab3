--- Attention.
-- The list of this wing: file → its class, or the names of several.
-- @module cusp.layers.attention
return {
  multi_head_attention = "MultiHeadAttention", group_query_attention = "GroupQueryAttention",
  attention = "Attention AdditiveAttention",
}

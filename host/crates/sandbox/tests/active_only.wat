;; A plugin in a hundred lines and no language: of rows with the columns `id` and `active` it keeps those that are active.
;; It is what `cargo build --target wasm32-unknown-unknown` would make of such a plugin: the contract's functions, flattened.
(module
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 4096))

  (data (i32.const 16) "people")
  (data (i32.const 32) "id")
  (data (i32.const 48) "active")

  ;; result<outline, failure>, the outline.
  (data (i32.const 128)
    "\00\00\00\00"                      ;; it is one
    "\10\00\00\00" "\06\00\00\00"       ;; name: "people"
    "\c8\00\00\00" "\01\00\00\00"       ;; one group, at 200
    "\00\01\00\00" "\02\00\00\00"       ;; two outputs, at 256
    "\01\00\00\00" "\00\00\00\00"       ;; group 0 selects
    "\00\00\00\00" "\00\00\00\00"       ;; no rejection codes
    "\00\00\00\00" "\00\00\00\00")      ;; no attributes
  (data (i32.const 200) "\d8\00\00\00" "\01\00\00\00") ;; the group reads one column,
  (data (i32.const 216) "\01\00\00\00")                ;; which is `active`.
  (data (i32.const 256)
    "\00\00\00\00" "\00\00\00\00" "\20\00\00\00" "\02\00\00\00" ;; keep column 0 as "id"
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00"
    "\00\00\00\00" "\01\00\00\00" "\30\00\00\00" "\06\00\00\00") ;; keep column 1 as "active"

  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at
      (i32.and
        (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
        (i32.xor (i32.sub (local.get $align) (i32.const 1)) (i32.const -1))))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  ;; Nothing to say of itself: an empty list.
  (func (export "sluice:transform/transform@0.1.0#describe") (result i32)
    (i32.const 1024))

  ;; Any settings are fine.
  (func (export "sluice:transform/transform@0.1.0#open") (param i32 i32 i32 i32) (result i32)
    (i32.const 1040))

  (func (export "sluice:transform/transform@0.1.0#outline-of") (param i32 i32 i32 i32 i32 i32) (result i32)
    (i32.const 128))

  ;; The bitmap of rows to keep is the values of the only column: buffer 1, after its validity.
  (func (export "sluice:transform/transform@0.1.0#apply")
    (param $group i32) (param $rows i32) (param $columns i32) (param $count i32) (result i32)
    (local $buffers i32)
    (local.set $buffers (i32.load (local.get $columns)))
    (i32.store (i32.const 2048) (i32.const 0))
    (i32.store (i32.const 2052) (i32.load offset=8 (local.get $buffers)))
    (i32.store (i32.const 2056) (i32.load offset=12 (local.get $buffers)))
    (i32.const 2048)))

"""Keys, seals and protected fields: the only package that imports `cryptography`.

    primitives   aead, derivation, merkle, merkle_proofs, fingerprint, signing
    keys         places, secret_sources, keyring_entry, staging_key, kek, keyset, keystore, heads
    formats      fields, fernet_fields, blind_index

Every folder and environment is a value handed in; secrets never show in a repr, a message or a log.
"""

// SPDX-License-Identifier: Apache-2.0
/*
 * sign DIRECTORY	makes a key, and signs each of the agent's programs with it
 *
 * Leaves a signature a program and the certificate; the key itself is forgotten.
 */
#include "../attacks/agent.h"

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#define DAY 86400L
#define KEY_BITS 2048
#define FLAGS (CMS_BINARY | CMS_DETACHED | CMS_NOCERTS | CMS_PARTIAL)
#define SIGNER_FLAGS (CMS_NOCERTS | CMS_BINARY | CMS_NOSMIMECAP | CMS_USE_KEYID | CMS_NOATTR)

static int add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	int result;

	X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	result = extension ? X509_add_ext(certificate, extension, -1) : 0;
	X509_EXTENSION_free(extension);
	return result;
}

static X509 *certify(EVP_PKEY *key)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);

	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3650 * DAY);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const void *)"lab", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	X509_set_pubkey(certificate, key);
	if (!add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") ||
	    !add_extension(certificate, NID_key_usage, "digitalSignature") ||
	    !add_extension(certificate, NID_subject_key_identifier, "hash") ||
	    !add_extension(certificate, NID_authority_key_identifier, "keyid") ||
	    !X509_sign(certificate, key, EVP_sha256()))
		return NULL;
	return certificate;
}

static BIO *create(const char *directory, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return BIO_new_file(path, "wb");
}

static int sign(enum signed_program which, X509 *certificate, EVP_PKEY *key, const char *directory)
{
	struct bpf_insn code[MAX_INSNS];
	int size = (int)(put_agent_program(which, code) * sizeof(code[0]));
	BIO *data = BIO_new_mem_buf(code, size), *out = create(directory, program_names[which]);
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, FLAGS);
	int result = cms && out &&
		     CMS_add1_signer(cms, certificate, key, EVP_sha256(), SIGNER_FLAGS) &&
		     CMS_final(cms, data, NULL, FLAGS) && i2d_CMS_bio(out, cms);

	CMS_ContentInfo_free(cms);
	BIO_free(data);
	BIO_free(out);
	return result;
}

int main(int argc, char **argv)
{
	EVP_PKEY *key = argc == 2 ? EVP_RSA_gen(KEY_BITS) : NULL;
	X509 *certificate = key ? certify(key) : NULL;
	BIO *out = certificate ? create(argv[1], "certificate") : NULL;
	int good = out && i2d_X509_bio(out, certificate);

	for (int which = 0; good && which < PROGRAMS; which++)
		good = sign(which, certificate, key, argv[1]);
	BIO_free(out);
	X509_free(certificate);
	EVP_PKEY_free(key);
	if (!good)
		fprintf(stderr, "sign: openssl failed\n");
	return !good;
}

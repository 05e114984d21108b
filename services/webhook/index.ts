export { startWebhook, type WebhookOptions } from './webhook.ts';

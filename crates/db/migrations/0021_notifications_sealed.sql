-- What notifications store sealed is refused when it was sealed with a retired key, as everywhere (0017).
CREATE TRIGGER notification_endpoints_sealed_alive
    BEFORE INSERT OR UPDATE OF secret_ciphertext, previous_secret_ciphertext ON notification_endpoints FOR EACH ROW
    EXECUTE FUNCTION sealed_with_a_living_key('secret_ciphertext', 'previous_secret_ciphertext');
CREATE TRIGGER notification_settings_sealed_alive
    BEFORE INSERT OR UPDATE OF smtp_password_ciphertext ON notification_settings FOR EACH ROW
    EXECUTE FUNCTION sealed_with_a_living_key('smtp_password_ciphertext');
